"""Search against numpy alone, on tables whose vectors cluster."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import Vectors, by_brute_force, clustered, filled_table, row_of

from wembed.neighbours import Query, Wanted, search
from wembed.neighbours.best import TIE
from wembed.store import EmbeddingTable

K = 20
FILTERS = {
    "none": (None, lambda place: True),
    "half": ("accuracy >= 0.5", lambda place: place % 1000 >= 500),
    "few": ("architecture = 'net-3' AND params < 700", lambda place: place % 7 == 3 and place < 700),
    "fewer than wanted": ("params IN (3, 5, 8)", lambda place: place in (3, 5, 8)),
}


def check(table: EmbeddingTable, vectors: Vectors, queries: Vectors) -> None:
    """Raises unless ids and scores are those of a comparison in float64."""
    for where, lets_through in FILTERS.values():
        allowed = [place for place in range(len(vectors)) if lets_through(place)]
        answers = search([Query(f"q{n}", query) for n, query in enumerate(queries)], table, Wanted(K, where))
        for query, found in zip(queries, answers, strict=True):
            ids, cosines = by_brute_force(query, vectors, K, allowed)
            assert np.abs(np.diff(cosines)).min() > TIE  # no ties, so that the order is beyond doubt
            assert [near.id for near in found.neighbours] == ids
            assert [near.score for near in found.neighbours] == pytest.approx(cosines, abs=1e-12)


def queries_near(vectors: Vectors, generator: np.random.Generator, number: int) -> Vectors:
    chosen = vectors[generator.integers(len(vectors), size=number)]
    return (chosen + 0.02 * generator.normal(size=chosen.shape)).astype(np.float32)


def test_a_search_is_that_of_numpy_with_and_without_filters(tmp_path):
    generator = np.random.default_rng(0)
    vectors = clustered(3_000, generator)
    check(filled_table(tmp_path, vectors), vectors, queries_near(vectors, generator, 5))


@pytest.mark.slow
def test_a_search_among_100_000_is_that_of_numpy_with_and_without_filters(tmp_path):
    generator = np.random.default_rng(0)
    vectors = clustered(100_000, generator)
    check(filled_table(tmp_path, vectors), vectors, queries_near(vectors, generator, 20))


def test_ties_come_by_id_whatever_the_order_of_the_table(tmp_path):
    """Copies written from the last to the first, in two orders, among other vectors."""
    generator = np.random.default_rng(0)
    vectors = clustered(2_000, generator)
    vectors[500:600] = vectors[500]
    for name, order in (("a", range(2_000)), ("b", reversed(range(2_000)))):
        table = EmbeddingTable(str(Path(tmp_path) / name), "made-up", vectors.shape[1])
        table.upsert({row_of(place): vectors[place] for place in order})
        (found,) = search([Query("q", vectors[500])], table, Wanted(30))
        assert [near.id for near in found.neighbours] == [row_of(place).id for place in range(500, 530)]
