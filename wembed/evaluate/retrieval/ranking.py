"""Scores of a gallery in; where each query's right answers stand out, and where chance would put them.

Whatever ties with a right answer stands before it. Legend: Q queries, N checkpoints.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """Where the right answers of Q queries stand.

    Args:
        first: the rank of the first of them, from 1, [Q].
        precision: average precision, the mean over the right answers of the share of right ones up to there, [Q]; the
            reciprocal rank where there is one.
    """

    first: NDArray[np.intp]
    precision: NDArray[np.float64]


class Place(NamedTuple):
    """The rank of the first right answer of one query, and the average precision."""

    first: int
    precision: float


def ranking(scores: Scores, relevant: Mask, candidates: Mask) -> Ranking:
    """Ranks the candidates of every query.

    Args:
        scores: higher is nearer, [Q, N].
        relevant: the right answers, at least one of each query among its candidates, [Q, N].
        candidates: what each query looks among, [Q, N].
    """
    places = [
        _place(own[right & among], own[among & ~right])
        for own, right, among in zip(scores, relevant, candidates, strict=True)
    ]
    first = np.array([place.first for place in places], dtype=np.intp)
    return Ranking(first, np.array([place.precision for place in places], dtype=np.float64))


def _place(right: Scores, wrong: Scores) -> Place:
    descending, ascending = np.sort(right)[::-1], np.sort(wrong)
    before = len(ascending) - np.searchsorted(ascending, descending, side="left")  # wrong ones, ties among them
    order = np.arange(1, len(descending) + 1)
    return Place(int(before[0]) + 1, float(np.mean(order / (order + before))))


def chance_of_none(right: NDArray[np.intp], among: NDArray[np.intp], depth: int) -> Scores:
    """How likely it is that the first places of a random order hold no right answer, [Q].

    Args:
        right: how many right answers each query has, [Q].
        among: how many candidates each has, [Q].
        depth: how many places.
    """
    share = np.ones(len(right))
    for place in range(depth):
        share *= np.maximum(among - right - place, 0) / np.maximum(among - place, 1)
    return share


def chance_precision(right: NDArray[np.intp], among: NDArray[np.intp]) -> Scores:
    """The average precision that a random order is expected to have, [Q]; see `chance_of_none`.

    Summed over places: one that holds a right answer has before it as many others as their share says.
    """
    harmonic = np.cumsum(1 / np.arange(1, int(among.max(initial=1)) + 1))[among - 1]
    others = (right - 1) / np.maximum(among - 1, 1)
    return np.asarray((harmonic + others * (among - harmonic)) / among)
