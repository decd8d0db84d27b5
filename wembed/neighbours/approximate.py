"""Query vectors and a table with an index in; about the best rows of each query out."""

import math
from collections.abc import Sequence

import numpy as np

from wembed.neighbours.best import Best
from wembed.neighbours.exact import scan, unit
from wembed.store import Block, EmbeddingTable, Index, Vectors

MARGIN = 2  # times the partitions that a sample of rows needed: other queries may need more
ROOM = 20  # rows that are compared for each that is wanted, at least


def probes_of(index: Index, k: int) -> int:
    """How many partitions of an index are looked into; its recall is measured for 10 rows, with the fewest it takes."""
    return min(max(MARGIN * index.probes, math.ceil(ROOM * k * index.partitions / index.rows)), index.partitions)


def probe(queries: Vectors, table: EmbeddingTable, best: Sequence[Best], where: str | None) -> Block | None:
    """Finds rows that are near queries [Q, D] by a table's index; compares with every row where there is none.

    Args:
        queries: what to compare.
        table: with what.
        best: one per query, which takes in what is found.
        where: an SQL filter, or none.

    Raises:
        UsageError: if the filter isn't understood.
    """
    index = table.index
    if index is None:
        return scan(queries, table, best, where)
    last = None
    for query, exact, found in zip(queries, unit(queries), best, strict=True):
        block = _nearest(query, table, found.k, where, index)
        scores = (unit(block.vectors) * exact).sum(axis=1)
        found.add(np.clip(scores, -1.0, 1.0), block.offsets)
        last = block
    return last


def _nearest(query: Vectors, table: EmbeddingTable, k: int, where: str | None, index: Index) -> Block:
    """Rows that are near one query [D]; where a few partitions hold fewer than k, all are looked into."""
    for probes in (probes_of(index, k), index.partitions):
        block = table.nearest(query, k, where, probes)
        if block is not None and len(block.vectors) >= k:
            break
    if block is None:
        raise ValueError(f"{table.uri} has lost its index")
    return block
