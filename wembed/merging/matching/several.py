"""Several networks in common scales in; for each what brings it into one order with all others out.

Matched one by one to the first, the second and the third need not be near each other, and going from one to the next to
a third is not going there straight. Here all come into one common order, so that any way round leads back (cycle
consistency, Crisostomi et al., 2024): each is matched to the mean of all others in turn, until none comes nearer
(MergeMany, Ainsworth et al., 2022).
"""

import time
from collections.abc import Sequence

import numpy as np

from wembed.merging.matching.search import Matching, distance, matching, refined
from wembed.merging.matching.with_data import Trial, match_with_data
from wembed.merging.tensors import Tensors, acted, weighted_sum
from wembed.symmetry import Action, SymmetrySpec, compose, invert

_ROUNDS = 20
_GAIN = 1e-9  # of the sum of all distances


def match_all(
    networks: Sequence[Tensors], spec: SymmetrySpec, generator: np.random.Generator, starts: Sequence[Action] = ()
) -> list[Matching]:
    """For every network but the first what brings it into the first one's order, and near to all.

    Args:
        networks: two or more, in common scales.
        spec: of all.
        generator: see `matching`.
        starts: where each but the first starts, if anything but its weights says so.
    """
    first, *others = networks
    found: list[Matching] = []
    for number, other in enumerate(others):
        mean = _mean([first, *(acted(f.action, spec, n) for f, n in zip(found, others, strict=False))])
        found.append(matching(mean, other, spec, generator, starts[number] if starts else None))
    if len(others) > 1:
        _go_round(first, others, found, spec, generator)
    return [_from_first(first, other, match, spec) for other, match in zip(others, found, strict=True)]


def match_all_with_data(
    networks: Sequence[Tensors], trial: Trial, generator: np.random.Generator, starts: Sequence[Action] = ()
) -> list[Matching]:
    """The same where training inputs decide: each by what it does beside the first, or all by their weights.

    All by their weights, if the average of all then loses no more than they do.

    Args:
        networks: two or more, in common scales.
        trial: what decides.
        generator: see `matching`.
        starts: as for `match_all`.
    """
    first, *others = networks
    begins: Sequence[Action | None] = starts or [None] * len(others)
    if len(others) == 1:
        return [match_with_data(first, others[0], trial, generator, begins[0])]

    def loss(found: list[Matching]) -> float:
        return trial.loss(_mean([first, *(acted(f.action, trial.spec, n) for f, n in zip(found, others, strict=True))]))

    by_weights = match_all(networks, trial.spec, generator, starts)
    if loss(by_weights) <= trial.enough(networks):
        return by_weights
    pairs = zip(others, begins, strict=True)
    return min(
        ([match_with_data(first, other, trial, generator, start) for other, start in pairs], by_weights), key=loss
    )


def between(first: Action, second: Action, spec: SymmetrySpec) -> Action:
    """What brings a network with one action into the order of another with its own: from its own order to that one's.

    Args:
        first: brings the one network into the common order.
        second: brings the other one there.
        spec: of both.
    """
    return compose(invert(second, spec), first, spec)


def _go_round(
    first: Tensors,
    others: Sequence[Tensors],
    found: list[Matching],
    spec: SymmetrySpec,
    generator: np.random.Generator,
) -> None:
    """Match each to the mean of all others, until a round gains nothing; `found` is overwritten."""
    moved = [acted(match.action, spec, other) for match, other in zip(found, others, strict=True)]
    for _ in range(_ROUNDS):
        before = _spread([first, *moved], spec)
        for number in generator.permutation(len(others)).tolist():
            mean = _mean([first, *moved[:number], *moved[number + 1 :]])
            step = refined(mean, others[number], spec, generator, found[number].action)
            if step.cost_after < distance(mean, moved[number], spec):
                found[number] = _added(found[number], step)
                moved[number] = acted(step.action, spec, others[number])
        if _spread([first, *moved], spec) >= before * (1 - _GAIN):
            return


def _spread(networks: Sequence[Tensors], spec: SymmetrySpec) -> float:
    mean = _mean(networks)
    return sum(distance(mean, network, spec) for network in networks)


def _mean(networks: Sequence[Tensors]) -> Tensors:
    return networks[0] if len(networks) == 1 else weighted_sum(networks, [1.0 / len(networks)] * len(networks))


def _added(before: Matching, step: Matching) -> Matching:
    iterations, seconds = before.iterations + step.iterations, before.seconds + step.seconds
    return Matching(step.action, iterations, before.cost_before, step.cost_after, seconds)


def _from_first(first: Tensors, other: Tensors, match: Matching, spec: SymmetrySpec) -> Matching:
    """A matching with the distances to the first network."""
    began = time.process_time()
    before, after = distance(first, other, spec), distance(first, acted(match.action, spec, other), spec)
    seconds = match.seconds + time.process_time() - began
    return Matching(match.action, match.iterations, before, after, seconds)
