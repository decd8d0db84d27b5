"""Scores and places of rows in, block by block; the k best of them and whatever ties with the last out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TIE = 1e-7  # scores no further apart are equal: float32 does not tell them apart

Scores = NDArray[np.float64]
Places = NDArray[np.uint64]


@dataclass
class Best:
    """The best of what one query has been compared with so far.

    Args:
        k: how many are wanted.
        floor: a lower score is not wanted.
    """

    k: int
    floor: float

    def __post_init__(self) -> None:
        self.scores: Scores = np.empty(0)  # [M]
        self.places: Places = np.empty(0, np.uint64)  # [M]

    @property
    def least(self) -> float:
        """The lowest score that may still be among the k best, or tie with the last of them."""
        if len(self.scores) < self.k:
            return self.floor
        kth = np.partition(self.scores, len(self.scores) - self.k)[len(self.scores) - self.k]
        return max(self.floor, float(kth) - TIE)

    def add(self, scores: Scores, places: Places) -> None:
        """Takes in rows: their scores [N], and where they stand in the table [N]."""
        self.scores, self.places = np.concatenate([self.scores, scores]), np.concatenate([self.places, places])
        good = self.scores >= self.least
        self.scores, self.places = self.scores[good], self.places[good]


class Candidate(NamedTuple):
    """A row that may be a neighbour."""

    score: float
    id: str
    place: int


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates from the highest score to the lowest, equal ones by id."""
    ordered = sorted(candidates, key=lambda candidate: -candidate.score)
    return [candidate for tied in _ties(ordered) for candidate in sorted(tied, key=lambda each: (each.id, each.place))]


def _ties(ordered: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    group: list[Candidate] = []
    for candidate in ordered:
        if group and group[0].score - candidate.score > TIE:
            yield group
            group = []
        group.append(candidate)
    if group:
        yield group
