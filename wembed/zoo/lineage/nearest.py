"""Sketches in; for each network those whose weights are nearest, place by place, out.

A pair is compared on the tensors that both have, if these are most of the larger one. Legend: N networks, M of them
with one tensor, K kept neighbours.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.sketch import Key, Sketch

KEPT = 32  # neighbours of each network
_BLOCK = 512  # networks that are compared with all at once
_SHARED = 0.5  # of the weights of each of two networks, that the other has too

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """How alike two networks are in the order of their files.

    Args:
        first: number of one.
        second: number of the other.
        cosine: of the weights that both have.
        distance: squared, of these weights, over the product of their norms.
    """

    first: int
    second: int
    cosine: float
    distance: float


def nearest(sketches: Sequence[Sketch]) -> list[list[Likeness]]:
    """For each network the nearest others, the nearest first."""
    found = []
    for start in range(0, len(sketches), _BLOCK):
        chosen = range(start, min(start + _BLOCK, len(sketches)))
        compared = compare([sketches[number] for number in chosen], sketches)
        for row, number in enumerate(chosen):
            found.append(_best(number, compared.cosine[row], compared.distance[row]))
    return found


@dataclass(frozen=True)
class Compared:
    """Some networks against others.

    Args:
        cosine: [n, N]; NaN where too little is shared.
        distance: [n, N], see Likeness.
    """

    cosine: Matrix
    distance: Matrix


def compare(some: Sequence[Sketch], others: Sequence[Sketch]) -> Compared:
    """How alike n networks are to N."""
    shape = len(some), len(others)
    inner, own, their, shared = (np.zeros(shape) for _ in range(4))
    columns = _members(others)
    for key, rows in _members(some).items():
        if key in columns:
            left, right = _stacked([(some, rows), (others, columns[key])], key)
            place = np.ix_(rows, columns[key])
            inner[place] += left @ right.T
            own[place] += np.square(left).sum(1)[:, None]
            their[place] += np.square(right).sum(1)
            shared[place] += math.prod(key[1])
    larger = np.maximum([[one.size] for one in some], [other.size for other in others])
    norms = np.sqrt(own * their)
    with np.errstate(invalid="ignore", divide="ignore"):
        known = (shared >= _SHARED * larger) & (norms > 0)
        cosine = np.where(known, inner / norms, np.nan)
        distance = np.where(known, np.maximum(own + their - 2 * inner, 0.0) / norms, np.nan)
    return Compared(cosine, distance)


def _members(sketches: Sequence[Sketch]) -> dict[Key, list[int]]:
    members: dict[Key, list[int]] = defaultdict(list)
    for number, own in enumerate(sketches):
        for key in own.parts:
            members[key].append(number)
    return members


def _stacked(groups: Sequence[tuple[Sequence[Sketch], Sequence[int]]], key: Key) -> list[Matrix]:
    """One tensor of the networks of each group, [M, places], scaled so that squares add up to those of all of it."""
    parts = [[sketches[number].parts[key] for number in numbers] for sketches, numbers in groups]
    places = min(len(part) for group in parts for part in group)
    scale = math.sqrt(math.prod(key[1]) / places)
    return [scale * np.stack([part[:places] for part in group]) for group in parts]


def _best(number: int, cosine: Matrix, distance: Matrix) -> list[Likeness]:
    others = np.flatnonzero(np.isfinite(distance))
    others = others[others != number]
    order = others[np.argsort(distance[others], kind="stable")][:KEPT]
    return [Likeness(number, int(other), float(cosine[other]), float(distance[other])) for other in order]
