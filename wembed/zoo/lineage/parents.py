"""Who accounts for whom, and which came first, in; a parent for each network, or none, out.

Of its kin a network is likely made of the one that accounts for most of it and came first. All parents are chosen
together: the best forest without circles (Edmonds, 1967).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.direction import Direction
from wembed.zoo.lineage.nearest import Likeness

CONSIDERED = 6  # candidates of each network
_ROOT = 6.0  # log-odds against having no parent where a kindred network is there


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
        scores: log-odds of each; minus infinity for what is none.
        first_of: which of two networks, by number, came first.
    """
    order = [int(place) for place in np.argsort(-scores, kind="stable")[:CONSIDERED] if np.isfinite(scores[place])]
    ranked = [
        Candidate(own[place].second, own[place], float(scores[place]), first_of(own[place].second, own[place].first))
        for place in order
    ]
    return sorted(ranked, key=lambda candidate: -candidate.total)


def choose(possible: Sequence[Sequence[Candidate]]) -> Mapping[int, Candidate]:
    """The parent of each network that has one: the forest of the highest total, without circles; siblings are none."""
    import networkx  # type: ignore[import-untyped]

    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(possible)))
    allowed: dict[tuple[int, int], Candidate] = {}
    for child, own in enumerate(possible):
        allowed |= {(one.parent, child): one for one in own if not one.direction.are_siblings}
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
    totals = np.array([one.total for one in possible if not one.direction.are_siblings])
    others = float(np.exp(totals - chosen.total).sum())
    return 1.0 / others / (1.0 + math.exp(-chosen.direction.log_odds - odds))
