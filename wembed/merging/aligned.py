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
from wembed.merging.matching.search import Matching, are_one, distance, matching
from wembed.merging.matching.several import match_all, match_all_with_data
from wembed.merging.matching.with_data import Trial
from wembed.merging.statistics import norm_variances
from wembed.merging.tensors import Tensors, acted, tensors_of, weighted_sum
from wembed.models import Dataset
from wembed.symmetry import Action, SymmetrySpec, compose, find_spec, invert


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

    Without data, and where no more than permutations and scales is to be found, either of two may be the first: their
    average is one function. Heads take the first one's form, and losses on data decide among orders of the others, so
    that the other way round may end elsewhere there. A copy of the first is matched as one in any case.

    Args:
        checkpoints: two or more that fit the spec.
        spec: of all of them.
        generator: see `matching`.
        dataset: whose training part says what the batch norms really see and, where the nearest by weights is not good
            enough, which match is best, however far away; None for none.
        encoder: whose view of single neurons says where matching starts; None for a start from the weights.

    Raises:
        UsageError: an encoder that has no view of single neurons.
    """
    scales, networks = _in_common_scales(checkpoints, spec, dataset)
    first, *others = checkpoints
    starts = [embedding_start((first, spec), (other, spec), encoder) for other in others] if encoder else []
    trial = Trial.on(dataset, spec, first) if dataset and is_held(spec) else None
    found = _matched(networks, spec, generator, starts, trial)
    actions = [Action({}, {}), *(each.action for each in found)]
    moved = [_moved(network, action, spec) for network, action in zip(networks, actions, strict=True)]
    back = _from_file_to_first(actions, scales, spec)
    for number in range(1, len(moved) if is_held(spec) and applies(spec) else 0):
        if not are_one(moved[0], moved[number], spec):
            moved[number], back[number] = _beyond(moved[0], moved[number], spec, dataset, first), None
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


def _matched(
    networks: Sequence[Tensors],
    spec: SymmetrySpec,
    generator: np.random.Generator,
    starts: Sequence[Action],
    trial: Trial | None,
) -> list[Matching]:
    """Each network but the first matched to it: large ones one by one, others all together, as a trial decides."""
    if is_held(spec):
        if trial:
            return match_all_with_data(networks, trial, generator, starts)
        return match_all(networks, spec, generator, starts)
    first, *others = networks
    begins: Sequence[Action | None] = starts or [None] * len(others)
    return [matching(first, other, spec, generator, start) for other, start in zip(others, begins, strict=True)]


def _from_file_to_first(actions: Sequence[Action], scales: Sequence[Action], spec: SymmetrySpec) -> list[Action | None]:
    """What brings each file's tensors into the first one's own scales and order; see `Aligned.actions`."""
    back = invert(scales[0], spec)
    others = zip(actions[1:], scales[1:], strict=True)
    return [Action({}, {}), *(compose(back, compose(action, scale, spec), spec) for action, scale in others)]


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
