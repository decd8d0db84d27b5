"""Several networks of one structure in; their tensors in one gauge and one order of neurons out.

What is averaged lies in the canonical scales, where two copies of one function coincide; `Aligned.in_scales_of_first`
brings an average back, so that the first network's own scales and order are those of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder, Item
from wembed.errors import CheckpointRefusedError
from wembed.merging.continuous import applies, nearer, nearer_with_data
from wembed.merging.gauge import scale_action
from wembed.merging.matching.large import LargeTensors
from wembed.merging.matching.moving import is_held
from wembed.merging.matching.node_start import embedding_start
from wembed.merging.matching.search import Matching, distance, matching
from wembed.merging.matching.several import match_all, match_all_with_data
from wembed.merging.matching.with_data import Trial
from wembed.merging.statistics import norm_variances
from wembed.merging.tensors import Tensors, acted, tensors_of, weighted_sum
from wembed.models import Dataset
from wembed.symmetry import Action, SymmetrySpec, compose, find_spec, invert

_ONE = 1e-9  # share of the distance that rounding leaves between two copies of one network


@dataclass(frozen=True)
class Aligned:
    """Networks that may be averaged tensor by tensor.

    Args:
        spec: their symmetries.
        scales: brought the first network from its own scales to the common ones.
        networks: the tensors of each, in common scales and in the first one's order.
        groups: how many atoms were matched.
        cost_before: squared distance of the others to the first in common scales, summed, before matching.
        cost_after: the same after it.
        actions: for each network what brings its file's tensors into the first one's own scales and order; None where
            more than an action was needed, as inside heads.
        iterations: assignments that were made.
        seconds: of this process's time that matching took.
    """

    spec: SymmetrySpec
    scales: Action
    networks: tuple[Tensors, ...]
    groups: int
    cost_before: float
    cost_after: float
    actions: tuple[Action | None, ...] = ()
    iterations: int = 0
    seconds: float = 0.0

    def in_scales_of_first(self, tensors: Tensors) -> Tensors:
        """Tensors in common scales, brought to the first network's own."""
        return acted(invert(self.scales, self.spec), self.spec, tensors)

    def average(self, weights: Sequence[float]) -> Tensors:
        """The weighted sum of the networks, in common scales."""
        return weighted_sum(self.networks, weights)


def align(
    checkpoints: Sequence[Checkpoint],
    spec: SymmetrySpec,
    generator: np.random.Generator,
    dataset: Dataset | None = None,
    encoder: Encoder | None = None,
) -> Aligned:
    """Networks matched to the first: by their weights and, where there is data, by what they do with it.

    Transformers come nearer by more than permutations: see `continuous`. Large networks are not held in memory: their
    tensors are read when they are asked for, and permutations are all that is looked for.

    Args:
        checkpoints: two or more that fit the spec.
        spec: of all of them.
        generator: see `matching`.
        dataset: whose training part says what the batch norms really see and which match is best; None for none.
        encoder: whose view of single neurons says where matching starts; None for a start from the weights.

    Raises:
        UsageError: an encoder that has no view of single neurons.
    """
    scales, networks = _in_common_scales(checkpoints, spec, dataset)
    starts = (
        [embedding_start((checkpoints[0], spec), (other, spec), encoder) for other in checkpoints[1:]]
        if encoder
        else []
    )
    if not is_held(spec):
        found = _by_turns(networks, spec, generator, starts)
    elif dataset:
        found = match_all_with_data(networks, Trial.on(dataset, spec, checkpoints[0]), generator, starts)
    else:
        found = match_all(networks, spec, generator, starts)
    actions = [Action({}, {}), *(each.action for each in found)]
    moved = [_moved(network, action, spec) for network, action in zip(networks, actions, strict=True)]
    own = [compose(action, scale, spec) for action, scale in zip(actions, scales, strict=True)]
    back: list[Action | None] = [
        Action({}, {}),
        *(compose(invert(scales[0], spec), action, spec) for action in own[1:]),
    ]
    for number in range(1, len(moved) if is_held(spec) and applies(spec) else 0):
        if distance(moved[0], moved[number], spec) > _ONE * found[number - 1].cost_before:
            moved[number], back[number] = _beyond(moved[0], moved[number], spec, dataset, checkpoints[0]), None
    return Aligned(
        spec,
        scales[0],
        tuple(moved),
        sum(not atom.frozen for atom in spec.atoms.values()),
        sum(each.cost_before for each in found),
        _cost(moved, spec),
        tuple(back),
        sum(each.iterations for each in found),
        sum(each.seconds for each in found),
    )


def unaligned(checkpoints: Sequence[Checkpoint], spec: SymmetrySpec) -> Aligned:
    """Networks as they are in their files, scales and all; the costs are in common scales nevertheless."""
    cost = _cost(_in_common_scales(checkpoints, spec, None)[1], spec)
    networks = tuple(tensors_of(checkpoint, spec) for checkpoint in checkpoints)
    nothing = Action({}, {})
    return Aligned(spec, nothing, networks, 0, cost, cost, (nothing,) * len(networks))


def common_spec(items: Sequence[Item]) -> SymmetrySpec:
    """The spec that all networks share: a known one before an inferred one.

    Raises:
        CheckpointRefusedError: their tensors, or what is known of their symmetries, differ.
    """
    (first, spec), *others = items
    for other, other_spec in others:
        _check_shapes(first, other)
        if spec.tier == "inferred" and other_spec.tier != "inferred":
            spec = other_spec
        elif other_spec.hash != spec.hash and other_spec.tier != "inferred":
            found = _first_difference(spec, other_spec)
            raise CheckpointRefusedError(f"{first.path} and {other.path} are not mergeable: {found}")
    spec = find_spec(first, spec)
    if spec.stacks:
        stack = next(iter(spec.stacks))
        raise CheckpointRefusedError(f"{first.path} is not mergeable: {stack} is kept in slices, one for each expert")
    return spec


def _in_common_scales(
    checkpoints: Sequence[Checkpoint], spec: SymmetrySpec, dataset: Dataset | None
) -> tuple[list[Action], list[Tensors]]:
    """The actions that bring the networks to the common scales, and their tensors there."""
    actions: list[Action] = []
    for checkpoint in checkpoints:
        variances = norm_variances(checkpoint, spec, dataset.train_inputs) if dataset else None
        actions.append(scale_action(checkpoint, spec, variances))
    pairs = zip(actions, checkpoints, strict=True)
    if not is_held(spec):
        return actions, [LargeTensors(checkpoint, spec, action) for action, checkpoint in pairs]
    return actions, [acted(action, spec, tensors_of(checkpoint, spec)) for action, checkpoint in pairs]


def _by_turns(
    networks: Sequence[Tensors], spec: SymmetrySpec, generator: np.random.Generator, starts: Sequence[Action]
) -> list[Matching]:
    """Each network matched to the first."""
    first, *others = networks
    begins: Sequence[Action | None] = starts or [None] * len(others)
    return [matching(first, other, spec, generator, start) for other, start in zip(others, begins, strict=True)]


def _beyond(first: Tensors, second: Tensors, spec: SymmetrySpec, dataset: Dataset | None, like: Checkpoint) -> Tensors:
    """The second network after what more than permutations can do."""
    return nearer_with_data(first, second, spec, dataset, like) if dataset else nearer(first, second, spec)


def _moved(network: Tensors, action: Action, spec: SymmetrySpec) -> Tensors:
    if isinstance(network, LargeTensors):
        return replace(network, action=compose(action, network.action, spec))
    return acted(action, spec, network)


def _cost(networks: Sequence[Tensors], spec: SymmetrySpec) -> float:
    return sum(distance(networks[0], other, spec) for other in networks[1:])


def _check_shapes(first: Checkpoint, other: Checkpoint) -> None:
    """Raises a CheckpointRefusedError that names the first tensor that differs."""
    for name in dict.fromkeys([*first.tensors, *other.tensors]):
        if not any(c.tensors[name].is_floating for c in (first, other) if name in c.tensors):
            continue  # the first one's is kept
        found = [str(list(c.tensors[name].shape)) if name in c.tensors else "nothing" for c in (first, other)]
        if found[0] != found[1]:
            message = f"{first.path} and {other.path} are not mergeable: tensor {name} is {found[0]} and {found[1]}"
            raise CheckpointRefusedError(message, "merging takes networks of one architecture")


def _first_difference(first: SymmetrySpec, other: SymmetrySpec) -> str:
    """Where two specs of the same tensors part, in words."""
    for name, site in first.sites.items():
        if name in other.sites and other.sites[name].activation != site.activation:
            return f"behind {name} stands {site.activation} and {other.sites[name].activation}"
    return f"their symmetries differ, spec {first.hash} and {other.hash}"
