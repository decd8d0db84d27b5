"""The index of a table: that it finds what there is to find, is kept up to date, and says how well it does."""

import numpy as np
import pytest

from wembed.errors import UsageError
from wembed.store import EmbeddingTable, Key, Row

DIMENSION = 16


def clustered(count: int, seed: int) -> dict[Row, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(40, DIMENSION))
    vectors = centres[generator.integers(0, 40, count)] + 0.2 * generator.normal(size=(count, DIMENSION))
    rows = [Row(f"{seed}-{n}", Key(f"{seed}-{n}", "s"), {"params": n}) for n in range(count)]
    return dict(zip(rows, vectors.astype(np.float32), strict=True))


@pytest.fixture
def table(tmp_path, monkeypatch) -> EmbeddingTable:
    monkeypatch.setattr("wembed.store.index.LEAST", 1000)
    table = EmbeddingTable(str(tmp_path), "e", DIMENSION)
    table.upsert(clustered(3000, 0))
    return table


def exact(table: EmbeddingTable, query: np.ndarray, k: int, where: str | None = None) -> list[str]:
    scored = [
        (-float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query)), row["id"])
        for block in table.blocks(where)
        for vector, row in zip(block.vectors, block.take(range(len(block.vectors)), ["id"]), strict=True)
    ]
    return [id for _, id in sorted(scored)[:k]]


def found(block) -> list[str]:
    return [row["id"] for row in block.take(range(len(block.vectors)), ["id"])]


def recall(table: EmbeddingTable, where: str | None = None) -> float:
    queries = list(clustered(20, 7).values())
    hits = [set(found(table.nearest(query, 10, where))) & set(exact(table, query, 10, where)) for query in queries]
    return sum(map(len, hits)) / 200


def test_without_an_index_nothing_is_nearest(table):
    assert table.index is None
    assert table.nearest(np.ones(DIMENSION, np.float32), 3) is None


def test_a_small_table_gets_no_index(tmp_path):
    table = EmbeddingTable(str(tmp_path), "e", DIMENSION)
    assert table.build_index() is None
    table.upsert(clustered(30, 0))
    assert table.build_index() is None


def test_an_index_says_its_recall_and_holds_it(table):
    index = table.build_index()
    assert (index.rows, index.sample > 50) == (3000, True)
    assert index.recall >= 0.99
    assert 1 <= index.probes <= index.partitions
    assert recall(table) >= 0.98
    assert table.index == index == table.build_index()


def test_the_nearest_come_first(table):
    table.build_index()
    query = next(iter(clustered(1, 7).values()))
    assert found(table.nearest(query, 5)) == exact(table, query, 5)


def test_a_filter_loses_nothing(table):
    table.build_index()
    assert recall(table, "params % 50 = 3") == 1.0
    with pytest.raises(UsageError, match="filter 'size > 1' is not understood"):
        table.nearest(np.ones(DIMENSION, np.float32), 3, "size > 1")


def test_rows_that_come_after_the_index_are_found_and_those_that_left_are_not(table):
    table.build_index()
    (row, vector), *_ = clustered(1, 5).items()
    table.upsert({row: vector})
    assert found(table.nearest(vector, 1)) == [row.id]
    table.synchronise(table.held(), [held for held in table.held() if held.id != row.id])
    assert row.id not in found(table.nearest(vector, 3))


@pytest.mark.parametrize(("count", "trained"), [(600, 3000), (4000, 7000)])
def test_an_index_is_brought_up_to_date(table, count, trained):
    table.build_index()
    table.upsert(clustered(count, 3))
    index = table.build_index()
    assert (index.rows, index.trained) == (3000 + count, trained)
    assert recall(table) >= 0.98


def test_an_index_outlives_compaction(table, monkeypatch):
    table.build_index()
    monkeypatch.setattr("wembed.store.tidy.MANY", 0)
    table.upsert(clustered(5, 4))
    assert recall(table) >= 0.98


def test_a_process_killed_before_it_had_measured_is_made_good(table):
    table.dataset.create_index("vector", "IVF_FLAT", "vector_idx", metric="cosine")
    assert table.index is None
    assert table.build_index().recall >= 0.99
