import numpy as np
import pytest

from wembed.catalog import CatalogRow
from wembed.neighbours import search
from wembed.store import EmbeddingTable, Key


@pytest.fixture
def table(tmp_path) -> EmbeddingTable:
    return EmbeddingTable(str(tmp_path), "e", 2)


def fill(table: EmbeddingTable, angles: dict[str, float]) -> list[CatalogRow]:
    vectors = {Key(name, "s"): np.array([np.cos(angle), np.sin(angle)], np.float32) for name, angle in angles.items()}
    table.upsert(vectors)
    return [CatalogRow(id=name, path=f"{name}.pt", content=name, spec="s", dataset="d") for name in angles]


def ids(found) -> list[str]:
    return [neighbour.id for neighbour in found]


QUERY = np.array([2.0, 0.0], np.float32)


def test_nearest_come_first_with_their_cosine(table):
    rows = fill(table, {"far": 2.0, "near": 0.1, "mid": 1.0})
    found = search(QUERY, table, rows, 2, "fingerprint")
    assert ids(found) == ["near", "mid"]
    assert [neighbour.rank for neighbour in found] == [1, 2]
    assert found[0].score == pytest.approx(np.cos(0.1), abs=1e-7)
    assert (found[0].path, found[0].dataset, found[0].encoder) == ("near.pt", "d", "fingerprint")


def test_ties_come_by_id_even_at_the_cut(table):
    rows = fill(table, {name: 0.3 + 1e-9 * number for number, name in enumerate("dcba")})
    assert ids(search(QUERY, table, rows, 2, "e")) == ["a", "b"]


def test_rows_that_share_weights_are_all_found(table):
    rows = fill(table, {"a": 0.0})
    twin = CatalogRow(id="twin", path="twin.pt", content="a", spec="s")
    assert ids(search(QUERY, table, [twin, *rows], 5, "e")) == ["a", "twin"]


def test_vectors_of_no_row_and_rows_of_no_vector_are_passed_over(table):
    rows = fill(table, {"a": 0.0, "gone": 0.1})[:1]
    missing = CatalogRow(id="new", path="new.pt", content="new", spec="s")
    assert ids(search(QUERY, table, [*rows, missing], 5, "e")) == ["a"]


def test_blocks_do_not_change_the_result(table, monkeypatch):
    rows = fill(table, {f"m{number}": float(angle) for number, angle in enumerate(np.linspace(0, 3, 200))})
    whole = search(QUERY, table, rows, 20, "e")
    monkeypatch.setattr("wembed.store.table.BLOCK", 7)
    assert search(QUERY, table, rows, 20, "e") == whole
    assert ids(whole) == [f"m{number}" for number in range(20)]


def test_nothing_embedded_is_nothing_found(table):
    assert search(QUERY, table, [], 3, "e") == []
