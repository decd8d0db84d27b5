"""Query vectors and a table in; the best rows of each query out, compared with every row of the table.

A product of matrices in float32 chooses what may be among the best; float64 decides. Whatever float32 can get wrong is
within a bound, so the answer is that of a comparison in float64 throughout.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wembed.neighbours.best import TIE, Best, Scores
from wembed.store import Block, EmbeddingTable, Vectors

_SMALLEST = np.finfo(np.float32).tiny


def scan(queries: Vectors, table: EmbeddingTable, best: Sequence[Best], where: str | None) -> Block | None:
    """Compares queries [Q, D] with every row that a filter lets through; gives one of the blocks, if there is any.

    Args:
        queries: what to compare.
        table: with what.
        best: one per query, which takes in its best rows.
        where: an SQL filter, or none.

    Raises:
        UsageError: if the filter isn't understood.
    """
    exact = unit(queries)  # [Q, D]
    last = None
    for block in table.blocks(where):
        _compare(exact, block, best)
        last = block
    return last


def unit(vectors: NDArray[Any]) -> Scores:  # of any float
    """Rows [N, D] in float64, scaled to length 1; a row of zeros stays."""
    exact = vectors.astype(np.float64)
    norms: Scores = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.maximum(norms, _SMALLEST)


def _compare(exact: Scores, block: Block, best: Sequence[Best]) -> None:
    rough = _rough(exact, block.vectors)  # [Q, N]
    error = (exact.shape[1] + 8) * np.finfo(np.float32).eps  # of a product of unit vectors and of their lengths
    for query, scores, found in zip(exact, rough, best, strict=True):
        least = max(found.least, _kth(scores, found.k) - error - TIE)
        indices = np.flatnonzero(scores >= least - error)
        if len(indices):
            rows = unit(block.vectors[indices])
            # row by row, so that a score does not depend on what else is in the block
            found.add(np.clip((rows * query).sum(axis=1), -1.0, 1.0), block.offsets[indices])


def _rough(exact: Scores, vectors: Vectors) -> NDArray[np.float32]:
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))  # [N]
    scores: NDArray[np.float32] = exact.astype(np.float32) @ vectors.T  # [Q, N]
    scores /= np.maximum(lengths, _SMALLEST)
    return scores


def _kth(scores: NDArray[np.float32], k: int) -> float:
    """The k-th best score; nothing to go by where there are fewer."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k]) if len(scores) >= k else -np.inf
