"""Several networks of one structure in; their tensors in one gauge and one order of neurons out.

What is averaged lies in the canonical scales, where two copies of one function coincide; `Aligned.in_scales_of_first`
brings an average back, so that the first network's own scales and order are those of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError
from wembed.merging.choose import Trial, match_with_data
from wembed.merging.gauge import scale_action
from wembed.merging.match import distance, match
from wembed.merging.statistics import norm_variances
from wembed.merging.tensors import Tensors, acted, tensors_of, weighted_sum
from wembed.models import Dataset
from wembed.symmetry import Action, SymmetrySpec, find_spec, invert


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
    """

    spec: SymmetrySpec
    scales: Action
    networks: tuple[Tensors, ...]
    groups: int
    cost_before: float
    cost_after: float

    def in_scales_of_first(self, tensors: Tensors) -> Tensors:
        """Tensors in common scales, brought to the first network's own."""
        return acted(invert(self.scales, self.spec), self.spec, tensors)

    def average(self, weights: Sequence[float]) -> Tensors:
        """The weighted sum of the networks, in common scales."""
        return weighted_sum(self.networks, weights)


def align(
    checkpoints: Sequence[Checkpoint], spec: SymmetrySpec, generator: np.random.Generator, dataset: Dataset | None
) -> Aligned:
    """Networks matched to the first: by their weights and, where there is data, by what they do with it.

    Args:
        checkpoints: two or more that fit the spec.
        spec: of all of them.
        generator: see `match`.
        dataset: whose training part says what the batch norms really see and which match is best; None for none.
    """
    scales, networks = _in_common_scales(checkpoints, spec, dataset)
    first, *others = networks
    moved = []
    for other in others:
        if dataset:
            action = match_with_data(first, other, Trial.on(dataset, spec, checkpoints[0]), generator)
        else:
            action = match(first, other, spec, generator)
        moved.append(acted(action, spec, other))
    groups = sum(not atom.frozen for atom in spec.atoms.values())
    return Aligned(spec, scales, (first, *moved), groups, _cost(networks, spec), _cost([first, *moved], spec))


def unaligned(checkpoints: Sequence[Checkpoint], spec: SymmetrySpec) -> Aligned:
    """Networks as they are in their files, scales and all; the costs are in common scales nevertheless."""
    cost = _cost(_in_common_scales(checkpoints, spec, None)[1], spec)
    networks = tuple(tensors_of(checkpoint, spec) for checkpoint in checkpoints)
    return Aligned(spec, Action({}, {}), networks, 0, cost, cost)


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
) -> tuple[Action, list[Tensors]]:
    """The action of the first network, and the tensors of all."""
    actions = []
    for checkpoint in checkpoints:
        variances = norm_variances(checkpoint, spec, dataset.train_inputs) if dataset else None
        actions.append(scale_action(checkpoint, spec, variances))
    pairs = zip(actions, checkpoints, strict=True)
    return actions[0], [acted(action, spec, tensors_of(checkpoint, spec)) for action, checkpoint in pairs]


def _cost(networks: Sequence[Tensors], spec: SymmetrySpec) -> float:
    return sum(distance(networks[0], other, spec) for other in networks[1:])


def _check_shapes(first: Checkpoint, other: Checkpoint) -> None:
    """Raises a CheckpointRefusedError that names the first tensor that differs."""
    for name in dict.fromkeys([*first.tensors, *other.tensors]):
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
