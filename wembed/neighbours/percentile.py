"""A table of embeddings in; what share of random pairs of its rows is no more alike than a score says, out.

The scores of random pairs are summed up in some hundred quantiles, which are kept with the table and made again once it
has grown by a tenth. Of a small table it is all pairs; of a large one, the number of its rows decides which.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wembed.neighbours.best import TIE
from wembed.neighbours.exact import unit
from wembed.store import EmbeddingTable

PAIRS = 20_000
ROWS = 2_048  # that the pairs are drawn from, so that few are read
GROWN = 1.1  # of the number of rows, from which on new pairs are drawn
NOTE = "wembed.percentiles"
# Finer at the top, where it tells kin from what is alike by chance: 20,000 pairs resolve 1 in 200 of a percent.
LEVELS = np.concatenate([np.arange(0, 99), np.arange(99, 99.9, 0.1), np.arange(99.9, 100, 0.01), [99.995, 100.0]])


@dataclass(frozen=True)
class Percentiles:
    """How the scores of random pairs of a table's rows are distributed.

    Args:
        rows: that the table had when they were drawn.
        scores: at the LEVELS, from the lowest to the highest.
    """

    rows: int
    scores: tuple[float, ...]

    def of(self, score: float) -> float:
        """The share of random pairs that are no more alike, 0 to 100, to three decimals."""
        return round(float(np.interp(score + TIE, self.scores, LEVELS)), 3)

    def fits(self, rows: int) -> bool:
        """Whether they still speak of a table of some number of rows."""
        return self.rows / GROWN <= rows <= self.rows * GROWN


def percentiles_of(table: EmbeddingTable) -> Percentiles | None:
    """Gives the percentiles of a table, kept or new ones; None where it has fewer than two rows.

    Raises:
        WembedError: if the table can't be read.
    """
    rows = table.count()
    kept = _read(table)
    if kept and kept.fits(rows):
        return kept
    if rows < 2:
        return None
    new = Percentiles(rows, tuple(np.quantile(_random_scores(table, rows), LEVELS / 100).round(7).tolist()))
    table.set_notes({NOTE: json.dumps({"rows": new.rows, "scores": new.scores})})
    return new


def _random_scores(table: EmbeddingTable, rows: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(rows)
    chosen = np.sort(generator.choice(rows, min(ROWS, rows), replace=False))
    column = table.dataset.take(chosen.tolist(), columns=["vector"])["vector"].combine_chunks()
    vectors = unit(column.flatten().to_numpy().reshape(len(chosen), -1))  # [M, D]
    one, other = np.triu_indices(len(vectors), 1)
    if len(one) > PAIRS:
        one = generator.integers(len(vectors), size=PAIRS)
        other = (one + generator.integers(1, len(vectors), size=PAIRS)) % len(vectors)  # never the same again
    scores: NDArray[np.float64] = np.einsum("pd,pd->p", vectors[one], vectors[other])
    return scores


def _read(table: EmbeddingTable) -> Percentiles | None:
    """What was kept; None if it isn't there, or another version of wembed kept something else."""
    try:
        kept: Any = json.loads(table.note(NOTE) or "null")  # whatever somebody wrote
        found = Percentiles(int(kept["rows"]), tuple(map(float, _numbers(kept["scores"]))))
    except (ValueError, TypeError, KeyError):
        return None
    return found if len(found.scores) == len(LEVELS) else None


def _numbers(values: Sequence[float]) -> Sequence[float]:
    return values if isinstance(values, list) else []
