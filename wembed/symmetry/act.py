"""Acting on weights with a spec's symmetry group: permutations of atoms, scales of sites.

An Action is a group element: `invert` and `compose` follow the group's laws, `apply_action` carries it out on tensors
and leaves the network's function unchanged. A scale s multiplies what writes a site and divides what reads it; a batch
norm takes it in its weight, bias and running mean, never in its running variance, since eps does not scale.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.axes import gather_index, spread
from wembed.symmetry.spec import Layer, ScaleClass, Site, SymmetrySpec

_LOG_SCALE_SPREAD = 0.5  # standard deviation of the random log-scales

Read = Callable[[str], NDArray[np.generic]]


@dataclass(frozen=True)
class Action:
    """An element of a spec's symmetry group: first scale, then permute. What is not named stays as it is.

    Args:
        permutations: atom -> index [n] with new = old[index].
        scales: site -> factors [n] by old index.
    """

    permutations: Mapping[str, NDArray[np.intp]]
    scales: Mapping[str, NDArray[np.float64]]


def random_action(
    spec: SymmetrySpec, generator: np.random.Generator, rescale: bool = False, powers_of_two: bool = False
) -> Action:
    """A random element: a uniform permutation of every free atom and, with `rescale`, a random scale of every site.

    Args:
        spec: whose group.
        generator: the source of randomness.
        rescale: whether to draw scales where a site's class allows them.
        powers_of_two: round scales so that they are exact in bf16 and fp16.
    """
    permutations = {a.name: generator.permutation(a.size) for a in spec.atoms.values() if not a.frozen}
    scales = {}
    for site in spec.sites.values() if rescale else ():
        if site.scale != "none":
            scales[site.name] = _random_scale(site.scale, spec.size_of(site.axis), generator, powers_of_two)
    return Action(permutations, scales)


def _random_scale(
    scale: ScaleClass, size: int, generator: np.random.Generator, powers_of_two: bool
) -> NDArray[np.float64]:
    logs = generator.normal(0.0, _LOG_SCALE_SPREAD, size)
    signs: NDArray[np.float64] = generator.choice(np.array([-1.0, 1.0]), size)
    magnitude: NDArray[np.float64] = np.exp2(np.round(logs / np.log(2.0))) if powers_of_two else np.exp(logs)
    match scale:
        case "positive":
            return magnitude
        case "real":
            return magnitude * signs
        case _:
            return signs


def invert(action: Action, spec: SymmetrySpec) -> Action:
    """The action that undoes another."""
    permutations = {name: np.argsort(index) for name, index in action.permutations.items()}
    scales = {}
    for name, factors in action.scales.items():
        scales[name] = 1.0 / factors[gather_index(spec.sites[name].axis, action.permutations, spec.sizes)]
    return Action(permutations, scales)


def compose(second: Action, first: Action, spec: SymmetrySpec) -> Action:
    """The action that does `first`, then `second`."""
    permutations = dict(second.permutations) | dict(first.permutations)
    for name in second.permutations.keys() & first.permutations.keys():
        permutations[name] = first.permutations[name][second.permutations[name]]
    scales = dict(first.scales)
    for name, factors in second.scales.items():
        index = gather_index(spec.sites[name].axis, first.permutations, spec.sizes)
        by_old_index = np.empty_like(factors)
        by_old_index[index] = factors
        scales[name] = scales[name] * by_old_index if name in scales else by_old_index
    return Action(permutations, scales)


def apply_action(action: Action, spec: SymmetrySpec, read: Read) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """The tensors of the same function after an action, one at a time, in the spec's order.

    Args:
        action: what to do.
        spec: the spec that it belongs to.
        read: gives a tensor's array by name; scaled tensors come back as float64, others in their own dtype.
    """
    factors = _factors(action, spec)
    for name, axes in spec.tensors.items():
        values = read(name)
        for axis, factor in factors.get(name, {}).items():
            shape = [1] * values.ndim
            shape[axis] = -1
            values = values.astype(np.float64) * factor.reshape(shape)
        for axis, expression in enumerate(axes):
            if values.shape[axis] > 1:
                values = values.take(gather_index(expression, action.permutations, spec.sizes), axis=axis)
        yield name, values


def _factors(action: Action, spec: SymmetrySpec) -> dict[str, dict[int, NDArray[np.float64]]]:
    """For every scaled tensor: axis number -> factors along that axis."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for layer in spec.layers:
        source, target = spec.sites[layer.source], spec.sites[layer.target]
        up, down = action.scales.get(target.name), action.scales.get(source.name)
        if layer.kind == "dense":
            _dense_factors(found, spec, layer, source, up, down)
        elif layer.kind == "batch_norm":
            _norm_factors(found, layer, up, down)
    return found


def _dense_factors(
    found: dict[str, dict[int, NDArray[np.float64]]],
    spec: SymmetrySpec,
    layer: Layer,
    source: Site,
    up: NDArray[np.float64] | None,
    down: NDArray[np.float64] | None,
) -> None:
    weight = layer.tensors["weight"]
    if up is not None:
        found.setdefault(weight, {})[layer.layout.index("target")] = up
        if "bias" in layer.tensors:
            found[layer.tensors["bias"]] = {0: up}
    if down is not None:
        axis = layer.layout.index("source")
        inverse = spread(spec.tensors[weight][axis], source.axis, 1.0 / down, spec.sizes)
        found.setdefault(weight, {})[axis] = inverse


def _norm_factors(
    found: dict[str, dict[int, NDArray[np.float64]]],
    layer: Layer,
    up: NDArray[np.float64] | None,
    down: NDArray[np.float64] | None,
) -> None:
    gain = (1.0 if up is None else up) / (1.0 if down is None else down)
    if np.ndim(gain):
        found[layer.tensors["weight"]] = {0: np.asarray(gain)}
    if up is not None:
        found[layer.tensors["bias"]] = {0: up}
    if down is not None:
        found[layer.tensors["running_mean"]] = {0: down}
