"""Who accounts for whom, and which came first, in; a parent for each network, or none, out.

Of its kin a network is likely made of the one that accounts for most of it and came first. All parents are chosen
together: the best forest without circles (Edmonds, 1967).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.direction import CERTAIN, EVEN, Direction
from wembed.zoo.lineage.nearest import Likeness

CONSIDERED = 6  # candidates of each network
_ROOT = 1e5  # log-odds against having no parent where a kindred network may be it
_SIBLINGS = 0.15  # odds of two that are next to each other being children of a third that is not there
_LARGE = 50.0  # log-odds
_AT_MOST = 0.98  # probability of a parent: so many are right of those of which nothing speaks against


@dataclass(frozen=True)
class Candidate:
    """A possible parent.

    Args:
        parent: its number.
        likeness: of the two.
        score: log-odds, without the direction.
        direction: whether the parent came first.
    """

    parent: int
    likeness: Likeness
    score: float
    direction: Direction

    @property
    def total(self) -> float:
        """Log-odds, less what the direction speaks against it."""
        return self.score - math.log1p(math.exp(-self.direction.log_odds))


def candidates(
    own: Sequence[Likeness], scores: NDArray[np.float64], first_of: Callable[[int, int], Direction]
) -> list[Candidate]:
    """The possible parents of a network, the likeliest first.

    Args:
        own: its kin.
        scores: log-odds of each.
        first_of: which of two networks, by number, came first.
    """
    found = [
        Candidate(own[place].second, own[place], float(scores[place]), first_of(own[place].second, own[place].first))
        for place in np.argsort(-scores, kind="stable")[:CONSIDERED]
    ]
    earlier = [one for one in found if one.direction.log_odds > -CERTAIN and not one.direction.are_siblings]
    return sorted(earlier, key=lambda candidate: -candidate.total)


def choose(possible: Sequence[Sequence[Candidate]]) -> Mapping[int, Candidate]:
    """The parent of each network that has one: the forest of the highest total, without circles."""
    import networkx  # type: ignore[import-untyped]

    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(possible)))
    allowed: dict[tuple[int, int], Candidate] = {}
    for child, own in enumerate(possible):
        allowed |= {(one.parent, child): one for one in own}
    graph.add_weighted_edges_from((*pair, candidate.total) for pair, candidate in allowed.items())
    chosen: dict[int, Candidate] = {}
    for part in networkx.weakly_connected_components(graph):
        if len(part) > 1:
            tree = graph.subgraph(part).copy()
            tree.add_weighted_edges_from((len(possible), child, -_ROOT) for child in part)
            edges = networkx.maximum_spanning_arborescence(tree).edges
            chosen |= {child: allowed[parent, child] for parent, child in edges if (parent, child) in allowed}
    return chosen


def probability_of(chosen: Candidate, possible: Sequence[Candidate], odds: float) -> float:
    """How likely a candidate is the parent, and not another one, and not the child; 0 to 1.

    Args:
        chosen: the candidate.
        possible: all candidates.
        odds: logarithm of how much more popular the candidate is than the child.
    """
    others = float(np.exp(np.array([one.total for one in possible]) - chosen.total).sum())
    told = chosen.direction.log_odds + (0.0 if chosen.direction.reason == EVEN else odds)
    siblings = 1.0 + _SIBLINGS * math.exp(min(chosen.direction.siblings, _LARGE))
    return _AT_MOST / others / siblings / (1.0 + math.exp(-told))
