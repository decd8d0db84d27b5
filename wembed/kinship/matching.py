"""Two networks in common scales in; the second with its neurons in the order, and the signs, of the first out."""

from collections.abc import Iterable, Iterator

import numpy as np

from wembed.kinship.rounding import agree
from wembed.kinship.shared import Matchable, Shared
from wembed.merging.matching.groups import compared, free_groups
from wembed.merging.matching.search import refined
from wembed.merging.matching.settle import settle
from wembed.merging.matching.signatures import guess
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec

WIDEST = 4096  # atom that is assigned; of wider ones an assignment takes minutes


def aligned(shared: Shared, pair: Matchable, generator: np.random.Generator) -> Tensors:
    """The second network as near to the first as its symmetries bring it: of several ways, the one that equals most.

    Args:
        shared: the two networks.
        pair: the same in common scales.
        generator: the order in which the atoms are gone round.
    """
    return _best_end(shared, pair, [*_in_order(shared, pair), *_shuffled(shared, pair, generator)])


def aligned_in_order(shared: Shared, pair: Matchable) -> Tensors:
    """The same where the neurons of both are known to stand in one order."""
    return _best_end(shared, pair, _in_order(shared, pair))


def _best_end(shared: Shared, pair: Matchable, ends: Iterable[Tensors]) -> Tensors:
    def worth(end: Tensors) -> tuple[int, float]:
        equal = (agree(pair.first[name], end[name], shared.rounding(name)) for name in shared.spec.tensors)
        return sum(equal), _likeness(pair.first, end, shared.spec)

    return max(ends, key=worth)


def _in_order(shared: Shared, pair: Matchable) -> Iterator[Tensors]:
    """The network as it is: as stored, in common scales, in the sizes and signs of the first."""
    yield pair.as_stored
    yield pair.second
    groups = [group.atom for group in free_groups(shared.spec)]
    yield settle(pair.first, pair.second, shared.spec, groups, set())[1]


def _shuffled(shared: Shared, pair: Matchable, generator: np.random.Generator) -> Iterator[Tensors]:
    """The network in the order that is guessed: as stored, rescaled, and improved on."""
    spec, groups = shared.spec, free_groups(shared.spec)
    if groups and max(spec.sizes[group.atom] for group in groups) <= WIDEST:
        guessed = guess(pair.first, pair.second, spec, groups)
        yield acted(Action(guessed.permutations, {}), spec, pair.as_stored)
        yield acted(guessed, spec, pair.second)
        yield acted(refined(pair.first, pair.second, spec, generator, guessed).action, spec, pair.second)


def _likeness(first: Tensors, second: Tensors, spec: SymmetrySpec) -> float:
    """The sum over tensors of their cosines."""
    total = 0.0
    for name in compared(spec):
        size = float(np.linalg.norm(first[name]) * np.linalg.norm(second[name]))
        total += float(np.vdot(first[name], second[name])) / size if size else 0.0
    return total
