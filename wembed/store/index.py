"""A table in; an index of its vectors out, which finds nearly all of the nearest rows in a share of the time.

The index keeps whole vectors in partitions (IVF flat), of which a search probes some. How many it takes for a recall of
.99 depends on how the vectors cluster, hence it is measured: for some rows of the table, how many of their true
neighbours are found. Rows that came after the index are compared one by one.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wembed.store.block import Block, block_of, vectors_of
from wembed.store.schema import Vectors

NAME = "vector_idx"
CONFIG = "wembed.index"  # in the table's config
LEAST = 10_000  # rows; fewer are compared as quickly one by one
STALE = 0.05  # share of rows that the index lacks; with more it is brought up to date
RETRAIN = 0.5  # share of rows that it lacks, or that its partitions were chosen without; with more it is made anew
PARTITIONS = 512  # at most; of more, choosing them takes longer than they save
SAMPLED = 32  # rows for each partition that they are chosen by
SAMPLE = 256  # rows whose neighbours are looked for
NEIGHBOURS = 10  # of each
TARGET = 0.995  # recall on the sample, so that .99 holds beyond it
TIE = 1e-6  # cosines no further apart are equal


@dataclass(frozen=True)
class Index:
    """An index and how it does.

    Args:
        rows: that it knows.
        trained: rows that there were when its partitions were chosen.
        partitions: of the vectors.
        probes: partitions that a search looks into.
        recall: share of the 10 nearest that it then finds, measured on `sample` rows.
        sample: number of rows that it was measured on.
    """

    rows: int
    trained: int
    partitions: int
    probes: int
    recall: float
    sample: int


def find_index(dataset: Any) -> Index | None:  # a Lance dataset, which has no types
    """Gives a table's index; None if there is none."""
    if not any(index.name == NAME for index in dataset.describe_indices()):
        return None
    try:
        return Index(**json.loads(dataset.config().get(CONFIG, "")))
    except (ValueError, TypeError):  # a process was killed before it had measured, or another version wrote it
        return None


def renew_index(dataset: Any) -> Index | None:  # a Lance dataset, which has no types
    """Makes a table's index or brings it up to date, where that is worth it, and gives it; None for a small table."""
    rows = dataset.count_rows()
    if rows < LEAST:
        return None
    index = find_index(dataset)
    known = next((each.num_rows_indexed for each in dataset.describe_indices() if each.name == NAME), 0)
    if index and rows - known <= STALE * rows:
        return index
    if index and max(rows - known, rows - index.trained) <= RETRAIN * rows:
        dataset.optimize.optimize_indices(index_names=[NAME])
        trained = index.trained
    else:
        partitions = min(math.isqrt(rows), PARTITIONS)
        shape = {"num_partitions": partitions, "sample_rate": SAMPLED}
        dataset.create_index("vector", "IVF_FLAT", NAME, metric="cosine", replace=True, **shape)
        trained = rows
    renewed = _measured(dataset, rows, trained)
    dataset.update_config({CONFIG: json.dumps(asdict(renewed))})
    return renewed


def nearest(dataset: Any, query: Vectors, k: int, where: str | None, probes: int) -> Block:  # Lance has no types
    """Gives about the k rows nearest to a query [D], nearest first, looking into the partitions nearest to it."""
    found = dataset.scanner(
        columns=["vector", "_rowoffset"],
        nearest={"column": "vector", "q": query, "k": k, "nprobes": probes},
        filter=where,
        prefilter=where is not None,
        disable_scoring_autoprojection=True,
    ).to_table()
    return block_of(dataset, found)


def _measured(dataset: Any, rows: int, trained: int) -> Index:
    """An index with the fewest probes that reach the target, of powers of two; with all if none do."""
    places = np.unique(np.random.default_rng(0).integers(0, rows, SAMPLE))
    sample = _unit(vectors_of(dataset.take(places.tolist(), columns=["vector"])))  # [S, D]
    batches = dataset.to_batches(columns=["vector"], batch_size=8192)
    least = _least_scores(sample, (_unit(vectors_of(batch)) for batch in batches))
    partitions = dataset.stats.index_stats(NAME)["indices"][0]["num_partitions"]
    probes, recall = 1, 0.0
    while True:
        recall = _recall(dataset, sample, least, probes)
        if recall >= TARGET or probes >= partitions:
            return Index(rows, trained, partitions, probes, recall, len(sample))
        probes = min(2 * probes, partitions)


def _least_scores(sample: Vectors, blocks: Iterable[Vectors]) -> NDArray[np.float32]:
    """The cosine of each row [S, D] with the last of its true neighbours, itself not counted."""
    best = np.full((len(sample), NEIGHBOURS + 1), -np.inf, np.float32)  # [S, K + 1]
    for vectors in blocks:
        scores = np.concatenate([best, sample @ vectors.T], axis=1)  # [S, K + 1 + N]
        best = -np.partition(-scores, NEIGHBOURS, axis=1)[:, : NEIGHBOURS + 1]  # [S, K + 1]
    least: NDArray[np.float32] = best.min(axis=1)
    return least  # [S]


def _recall(dataset: Any, sample: Vectors, least: NDArray[np.float32], probes: int) -> float:
    found = 0
    for query, score in zip(sample, least, strict=True):
        scores = _unit(nearest(dataset, query, NEIGHBOURS + 1, None, probes).vectors) @ query  # [K + 1]
        found += max(int((scores >= score - TIE).sum()) - 1, 0)  # less the row itself
    return found / (NEIGHBOURS * len(sample))


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)  # [N, 1]
    unit: Vectors = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
