"""An embedding and a table of embeddings in; the nearest checkpoints of a zoo out, by exact cosine similarity.

The table is read block by block, so that memory holds one block and the best so far. Equal scores come in the
order of their ids, whatever the order of the table.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow
from wembed.store import EmbeddingTable, Key

TIE = 1e-7  # scores no further apart are equal: float32 does not tell them apart


@dataclass(frozen=True)
class Neighbour:
    """A checkpoint and how near it is.

    Args:
        rank: from 1.
        id: of the checkpoint.
        score: cosine similarity, -1 to 1.
        path: where it is, as the catalog has it.
        architecture: as in the catalog.
        dataset: as in the catalog.
        accuracy: as in the catalog.
        encoder: whose embeddings were compared.
    """

    rank: int
    id: str
    score: float
    path: str
    architecture: str | None
    dataset: str | None
    accuracy: float | None
    encoder: str


@dataclass(frozen=True)
class _Candidate:
    score: float
    row: CatalogRow


def search(
    query: NDArray[np.float32], table: EmbeddingTable, rows: Sequence[CatalogRow], k: int, encoder: str
) -> list[Neighbour]:
    """Gives the k rows nearest to a query, nearest first; fewer if fewer are embedded.

    Args:
        query: [D].
        table: their embeddings.
        rows: which checkpoints to look among.
        k: how many.
        encoder: name of the encoder that made query and table.
    """
    by_key: dict[Key, list[CatalogRow]] = {}
    for row in rows:
        by_key.setdefault(Key(row.content, row.spec), []).append(row)
    best: list[_Candidate] = []
    for block in table.blocks():
        scores = _cosine(block.vectors, query)
        found = [
            _Candidate(float(score), row)
            for score, key in zip(scores, block.keys, strict=True)
            for row in by_key.get(key, ())
        ]
        best = _best([*best, *found], k)
    return [_neighbour(rank, candidate, encoder) for rank, candidate in enumerate(_in_order(best)[:k], start=1)]


def _cosine(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    left, right = vectors.astype(np.float64), query.astype(np.float64)  # [N, D], [D]
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right)  # [N]
    cosine: NDArray[np.float64] = np.clip(left @ right / np.maximum(norms, np.finfo(np.float64).tiny), -1.0, 1.0)
    return cosine  # [N]


def _best(candidates: list[_Candidate], k: int) -> list[_Candidate]:
    """The k best and whatever ties with the last of them."""
    if len(candidates) <= k:
        return candidates
    scores = np.array([candidate.score for candidate in candidates])
    least = np.partition(scores, len(scores) - k)[len(scores) - k] - TIE
    return [candidate for candidate in candidates if candidate.score >= least]


def _in_order(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    ordered = sorted(candidates, key=lambda candidate: -candidate.score)
    return [candidate for tied in _ties(ordered) for candidate in sorted(tied, key=lambda item: item.row.id)]


def _ties(ordered: list[_Candidate]) -> Iterator[list[_Candidate]]:
    group: list[_Candidate] = []
    for candidate in ordered:
        if group and group[0].score - candidate.score > TIE:
            yield group
            group = []
        group.append(candidate)
    if group:
        yield group


def _neighbour(rank: int, candidate: _Candidate, encoder: str) -> Neighbour:
    row = candidate.row
    return Neighbour(
        rank, row.id, candidate.score, row.path, row.architecture, row.dataset, row.accuracy, encoder
    )  # fmt: skip
