"""Acting on weights with a spec's symmetry group: permutations of atoms, scales of sites, and what heads allow.

An Action is a group element: `apply_action` carries it out on tensors and leaves the network's function unchanged. A
scale s multiplies what writes a site and divides what reads it; a batch norm takes it in its weight, bias and running
mean, never in its running variance, since eps does not scale. `invert` and `compose` follow the group's laws for
permutations and scales.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.cells import Cell, Side, laid_out, multiplied
from wembed.symmetry.action.shuffle import old_index, shuffled
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.spec import Layer, SymmetrySpec
from wembed.symmetry.stacks import stacked_reader, stored_parts

Read = Callable[[str], NDArray[np.generic]]
Factors = NDArray[np.float64]  # [N], or matrices [P, d, d]
Step = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Action:
    """An element of a spec's symmetry group: shift, then scale, mix and turn, then permute.

    What is not named stays as it is. Sites with a dual are not named, they take the inverse of that one's factors.

    Args:
        permutations: atom -> index [n] with new = old[index]; for an atom that is under another one such index for each
            of that one's old indices, [parents, n], if they differ.
        scales: site -> factors [N] by old index.
        mixes: site -> matrices [P, d, d] along its last atom, one for each index of the others together.
        turns: site -> complex factors [N]; real and imaginary parts are what the two halves of a head say.
        shifts: site -> what is added to its bias, [N]; values' readers take it back, keys' need not.
    """

    permutations: Mapping[str, NDArray[np.intp]]
    scales: Mapping[str, NDArray[np.float64]]
    mixes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    turns: Mapping[str, NDArray[np.complex128]] = field(default_factory=dict)
    shifts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def invert(action: Action, spec: SymmetrySpec) -> Action:
    """The action that undoes another, which permutes and scales only."""
    _check_plain(action)
    scales = {}
    for name, factors in action.scales.items():
        scales[name] = 1.0 / factors[old_index(spec.sites[name].axis, action.permutations, spec)]
    permutations = {name: _inverse(name, action, spec) for name in action.permutations}
    return Action(permutations, scales)


def compose(second: Action, first: Action, spec: SymmetrySpec) -> Action:
    """The action that does `first`, then `second`, both of which permute and scale only."""
    _check_plain(first)
    _check_plain(second)
    names = dict.fromkeys([*first.permutations, *second.permutations])
    permutations = {name: _composed(name, second, first, spec) for name in names}
    scales = dict(first.scales)
    for name, factors in second.scales.items():
        index = old_index(spec.sites[name].axis, first.permutations, spec)
        by_old_index = np.empty_like(factors)
        by_old_index[index] = factors
        scales[name] = scales[name] * by_old_index if name in scales else by_old_index
    return Action(permutations, scales)


def _check_plain(action: Action) -> None:
    if action.mixes or action.turns or action.shifts:
        raise ValueError("only permutations and scales can be inverted and composed")


def _inverse(name: str, action: Action, spec: SymmetrySpec) -> NDArray[np.intp]:
    index = action.permutations[name]
    if index.ndim == 1:
        return np.argsort(index)
    # By the parent's old index, which to the inverse is this action's new one.
    parents = action.permutations.get(spec.atoms[name].under, np.arange(len(index), dtype=np.intp))
    return np.argsort(index[parents], axis=1)


def _composed(name: str, second: Action, first: Action, spec: SymmetrySpec) -> NDArray[np.intp]:
    one, other = first.permutations.get(name), second.permutations.get(name)
    if other is None:
        return first.permutations[name]
    parents = first.permutations.get(spec.atoms[name].under)
    if other.ndim == 2 and parents is not None:
        other = other[np.argsort(parents)]
    if one is None:
        return other
    if one.ndim == other.ndim == 1:
        return one[other]
    rows = len(one if one.ndim == 2 else other)
    one, other = (np.broadcast_to(index, (rows, index.shape[-1])) for index in (one, other))
    return np.take_along_axis(one, other, axis=1)


def apply_action(action: Action, spec: SymmetrySpec, read: Read) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """The tensors of the same function after an action, one at a time, in the spec's order, named as in the file.

    Args:
        action: what to do.
        spec: the spec that it belongs to.
        read: gives a tensor's array by its name in the file; what is multiplied or added to comes back as float64,
            others in their own dtype.
    """
    read = stacked_reader(spec, read)
    steps = _steps(action, spec, read)
    for name, axes in spec.tensors.items():
        values = read(name)
        if name in steps:
            changed = values.astype(np.float64)
            for step in steps[name]:
                changed = step(changed)
            values = changed
        yield from stored_parts(spec, name, shuffled(values, axes, action.permutations, spec))


def _steps(action: Action, spec: SymmetrySpec, read: Read) -> dict[str, list[Step]]:
    """What is to be done to each tensor before it is permuted, in order."""
    steps: dict[str, list[Step]] = defaultdict(list)
    sides = Sides.of(spec)
    for site, shift in action.shifts.items():
        for name, step in _shift_steps(sides, site, shift, read):
            steps[name].append(step)
    factors = _with_duals({**action.scales, **action.mixes}, spec)
    for layer in spec.layers:
        for role, side, own in _roles(layer, factors):
            cell = Cell.of(spec, layer, role)
            places = cell.places(_atoms(spec, layer.target if side == "target" else layer.source), side)
            steps[layer.tensors[role]].append(_multiply(cell, own, places))
    for site, turn in action.turns.items():
        duals = {dual: 1.0 / turn.conj() for dual in sides.duals[site]}
        for target, own_turn in {site: turn, **duals}.items():
            for name, step in _turn_steps(sides, target, own_turn):
                steps[name].append(step)
    return steps


def _with_duals(factors: Mapping[str, Factors], spec: SymmetrySpec) -> dict[str, Factors]:
    """All sites that change, their duals too."""
    duals = {site.name: flipped(factors[site.dual]) for site in spec.sites.values() if site.dual in factors}
    return {**factors, **duals}


def _atoms(spec: SymmetrySpec, site: str) -> tuple[str, ...]:
    return tuple(atoms_of(spec.sites[site].axis))


def flipped(factors: Factors) -> Factors:
    """What a site's dual, or what reads the site, is multiplied by."""
    if factors.ndim == 3:
        return np.asarray(np.linalg.inv(factors).transpose(0, 2, 1), dtype=np.float64)
    return 1.0 / factors


def _roles(layer: Layer, factors: Mapping[str, Factors]) -> Iterator[tuple[str, Side, Factors]]:
    """The tensors of a layer that its sites' factors change: role, side, factors."""
    up, down = factors.get(layer.target), factors.get(layer.source)
    if layer.kind == "vector":
        return
    for role in layer.tensors:
        if up is not None and role in ("weight", "bias"):
            yield role, "target", up
        if down is not None and role == "weight":
            yield role, "source", flipped(down)
        if down is not None and role == "running_mean":
            yield role, "source", down


def _multiply(cell: Cell, factors: Factors, places: tuple[int, ...]) -> Step:
    def step(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return cell.put(values, multiplied(cell.take(values), factors, places))

    return step


def _turn_steps(sides: Sides, site: str, turn: NDArray[np.complex128]) -> Iterator[tuple[str, Step]]:
    """Tensor and step for all pairs of halves that write a site."""
    atoms = _atoms(sides.spec, site)
    for pair in sides.halves(site):
        for role, name in pair[0].tensors.items():
            real, imaginary = (Cell.of(sides.spec, half, role) for half in pair)
            yield name, _turned(real, imaginary, turn, real.places(atoms, "target"))


def _turned(real: Cell, imaginary: Cell, turn: NDArray[np.complex128], places: tuple[int, ...]) -> Step:
    def step(values: NDArray[np.float64]) -> NDArray[np.float64]:
        new = (real.take(values) + 1j * imaginary.take(values)) * laid_out(turn, real.shape, places)
        return imaginary.put(real.put(values, new.real), new.imag)

    return step


def _shift_steps(sides: Sides, site: str, shift: NDArray[np.float64], read: Read) -> Iterator[tuple[str, Step]]:
    """Tensor and step for the bias that a shift goes into and, of values, those that it is taken from."""
    atoms = _atoms(sides.spec, site)
    for layer in [layer for layer in sides.writers[site] if "bias" in layer.tensors][:1]:
        cell = Cell.of(sides.spec, layer, "bias")
        yield layer.tensors["bias"], _add(cell, laid_out(shift, cell.shape, cell.places(atoms, "target")))
    for layer in sides.readers[site]:
        yield layer.tensors["bias"], _take_back(sides.spec, layer, shift, read)


def _add(cell: Cell, shift: NDArray[np.float64]) -> Step:
    def step(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return cell.put(values, cell.take(values) + shift)

    return step


def _take_back(spec: SymmetrySpec, layer: Layer, shift: NDArray[np.float64], read: Read) -> Step:
    """A reader's bias less what its weight makes of a shift of its source."""
    weight, bias = Cell.of(spec, layer, "weight"), Cell.of(spec, layer, "bias")
    places = weight.places(_atoms(spec, layer.source), "source")
    kept = list(weight.places(bias.atoms, "target"))
    summed = tuple(axis for axis in range(len(weight.atoms)) if axis not in kept)

    def step(values: NDArray[np.float64]) -> NDArray[np.float64]:
        seen = weight.take(read(layer.tensors["weight"]).astype(np.float64))
        made = (seen * laid_out(shift, weight.shape, places)).sum(summed)  # axes in the weight's order
        order = np.argsort(np.argsort(kept))
        return bias.put(values, bias.take(values) - made.transpose(order))

    return step
