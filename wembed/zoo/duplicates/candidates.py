"""Embeddings in; the pairs that lie within a radius of each other out, block by block."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1024  # vectors that are compared with all at once


class Pair(NamedTuple):
    """Two of some vectors, by number, the first one's the smaller."""

    first: int
    second: int


def near_pairs(vectors: Sequence[NDArray[np.float32]], radius: float) -> Iterator[Pair]:
    """The pairs of unit vectors [D] whose cosine is at least 1 less the radius, in order."""
    if len(vectors) < 2:
        return
    values = np.stack(vectors)
    for start in range(0, len(values), _BLOCK):
        cosines = values[start : start + _BLOCK] @ values[start:].T
        for row, column in np.argwhere(cosines >= 1.0 - radius):
            if row < column:
                yield Pair(start + int(row), start + int(column))
