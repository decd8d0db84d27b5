import numpy as np
import pytest
from embeddings import clustered, filled_table

from wembed.neighbours import Query, Wanted, probe, search
from wembed.store import EmbeddingTable

ROWS = 12_000


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(ROWS, np.random.default_rng(0), dimension=32)


@pytest.fixture(scope="module")
def table(tmp_path_factory, vectors) -> EmbeddingTable:
    table = filled_table(tmp_path_factory.mktemp("table"), vectors)
    assert table.build_index()
    return table


def queries(vectors: np.ndarray) -> list[Query]:
    return [
        Query(f"m{place:07d}", vectors[place], f"{place:064x}", f"structure-{place % 5}")
        for place in range(0, ROWS, 61)
    ]


def recall(table: EmbeddingTable, vectors: np.ndarray, wanted: Wanted) -> float:
    exact = [{near.id for near in found.neighbours} for found in search(queries(vectors), table, wanted)]
    found = [{near.id for near in found.neighbours} for found in search(queries(vectors), table, wanted, probe)]
    return sum(len(one & other) for one, other in zip(exact, found, strict=True)) / sum(map(len, exact))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(10),
        Wanted(10, exclude_self=True),
        Wanted(10, where="accuracy > 0.9"),
        Wanted(10, same_architecture=True, min_score=0.2),
    ],
    ids=["all", "others", "filtered", "structure"],
)
def test_the_index_finds_nearly_all_that_a_comparison_with_every_row_finds(table, vectors, wanted):
    assert recall(table, vectors, wanted) >= 0.98


def test_what_is_found_by_the_index_has_its_exact_score_and_columns(table, vectors):
    wanted = Wanted(5, fields=("path", "params"))
    for exact, found in zip(
        search(queries(vectors), table, wanted), search(queries(vectors), table, wanted, probe), strict=True
    ):
        known = {near.id: (near.score, near.columns) for near in exact.neighbours}
        assert all(known[near.id] == (near.score, near.columns) for near in found.neighbours if near.id in known)
        assert [near.rank for near in found.neighbours] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("k", [10, 300, ROWS + 1])
def test_as_many_are_found_as_are_wanted_and_there(table, vectors, k):
    (found,) = search(queries(vectors)[:1], table, Wanted(k), probe)
    assert len(found.neighbours) == min(k, ROWS)


def test_without_an_index_every_row_is_compared(tmp_path, vectors):
    table = filled_table(tmp_path, vectors[:500])
    assert table.build_index() is None
    assert [*search(queries(vectors), table, Wanted(3), probe)] == [*search(queries(vectors), table, Wanted(3))]
