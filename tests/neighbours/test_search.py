import dataclasses

import numpy as np
import pytest

import wembed
from wembed.errors import UsageError
from wembed.neighbours import Found, Query, Wanted, search
from wembed.neighbours.best import TIE
from wembed.store import EmbeddingTable, Key, Row

QUERY = Query("q", np.array([2.0, 0.0], np.float32), "content of q", "s1")


@pytest.fixture
def table(tmp_path) -> EmbeddingTable:
    return EmbeddingTable(str(tmp_path), "e", 2)


def fill(table: EmbeddingTable, angles: dict[str, float], **columns) -> None:
    table.upsert(
        {
            Row(name, Key(name, "s"), columns): np.array([np.cos(angle), np.sin(angle)], np.float32)
            for name, angle in angles.items()
        }
    )


def ask(table: EmbeddingTable, query: Query = QUERY, **wanted) -> Found:
    (found,) = search([query], table, Wanted(**wanted))
    return found


def ids(found: Found) -> list[str]:
    return [neighbour.id for neighbour in found.neighbours]


def test_nearest_come_first_with_their_cosine_and_fields(table):
    fill(table, {"far": 2.0, "near": 0.1, "mid": 1.0}, dataset="d", accuracy=0.5)
    found = ask(table, k=2, fields=("dataset", "accuracy"))
    assert ids(found) == ["near", "mid"]
    assert [neighbour.rank for neighbour in found.neighbours] == [1, 2]
    assert found.neighbours[0].score == pytest.approx(np.cos(0.1), abs=1e-7)
    assert found.neighbours[0].columns == {"dataset": "d", "accuracy": 0.5}


def test_ties_come_by_id_even_at_the_cut(table):
    fill(table, {name: 0.3 + 1e-9 * number for number, name in enumerate("dcba")})
    assert ids(ask(table, k=2)) == ["a", "b"]


def test_the_query_itself_comes_before_what_is_the_same_up_to_rounding(table):
    fill(table, {"a": 0.0, "q": 1e-4})
    own = Query("q", table.find(["q"])["q"], "q")
    assert ids(ask(table, own)) == ["q", "a"]
    copied = Query("elsewhere", own.vector, "q", file="elsewhere")
    assert ids(ask(table, copied, k=1)) == ["q"]


def test_a_tensor_is_looked_for_by_each_querys_own_hash(table):
    for name, hashes in {"a": {"w": "1"}, "b": {"v": "1", "w": "2"}, "c": {"w": "2"}}.items():
        table.upsert({Row(name, Key(name, "s"), {}, hashes): np.ones(2, np.float32)})
    queries = [dataclasses.replace(QUERY, tensors={"x": hash}) for hash in "123"]
    found = search(queries, table, Wanted(tensors=("x",), where="id != 'c'"))
    assert [ids(each) for each in found] == [["a", "b"], ["b"], []]


def test_rows_that_share_weights_are_all_found(table):
    vector = np.array([1.0, 0.0], np.float32)
    table.upsert({Row("b", Key("same", "s")): vector, Row("a", Key("same", "s")): vector})
    assert ids(ask(table)) == ["a", "b"]


def test_blocks_do_not_change_the_result(table, monkeypatch):
    fill(table, {f"m{number:03d}": float(angle) for number, angle in enumerate(np.linspace(0, 3, 200))})
    whole = ask(table, k=20)
    monkeypatch.setattr("wembed.store.table.BLOCK", 7)
    found = ask(table, k=20)
    assert found.neighbours == whole.neighbours
    assert ids(whole) == [f"m{number:03d}" for number in range(20)]


def test_nothing_embedded_is_nothing_found(table):
    assert ask(table).neighbours == []


def test_a_filter_that_lets_nothing_through_finds_nothing(table):
    fill(table, {"a": 0.0}, accuracy=0.5)
    assert ask(table, where="accuracy > 0.9").neighbours == []


def test_a_filter_that_is_not_understood_names_the_columns(table):
    fill(table, {"a": 0.0})
    with pytest.raises(UsageError, match="acuracy") as caught:
        ask(table, where="acuracy > 0.9")
    assert "validation_accuracy" in caught.value.hint


def test_a_field_that_is_no_column_names_the_columns():
    with pytest.raises(UsageError, match="no column named 'acuracy'") as caught:
        Wanted(fields=("acuracy",))
    assert "validation_accuracy" in caught.value.hint


def test_a_score_below_the_least_is_not_wanted(table):
    fill(table, {"near": 0.1, "mid": 1.0, "far": 2.0})
    assert ids(ask(table, min_score=0.5)) == ["near", "mid"]
    assert ids(ask(table, min_score=0.999)) == []


def test_same_architecture_is_the_structure_of_the_query(table):
    fill(table, {"near": 0.1}, structure="s2")
    fill(table, {"mid": 1.0}, structure="s1")
    other = dataclasses.replace(QUERY, id="p", structure="s2")
    found = [*search([other, QUERY, other], table, Wanted(same_architecture=True))]
    assert [ids(each) for each in found] == [["near"], ["mid"], ["near"]]


def test_same_architecture_narrows_a_filter_with_or(table):
    fill(table, {"near": 0.1}, structure="s2", accuracy=0.5)
    fill(table, {"mid": 1.0}, structure="s1", accuracy=0.4)
    assert ids(ask(table, where="accuracy < 0.45 OR accuracy > 0.45", same_architecture=True)) == ["mid"]


def test_a_filter_cannot_close_the_bracket_that_keeps_it_from_the_others(table):
    fill(table, {"near": 0.1}, structure="s2")
    with pytest.raises(UsageError, match="its brackets don't match"):
        ask(table, where="1=1) OR (1=1", same_architecture=True)


def test_a_query_does_not_find_itself_nor_its_copies(table):
    vector = QUERY.vector
    copies = {Row(name, Key("content of q", "s")): vector for name in ("a copy", "q")}
    table.upsert({**copies, Row("q", Key("older content of q", "s")): vector})
    fill(table, {"near": 0.1, "mid": 1.0})
    assert ids(ask(table, k=2, exclude_self=True)) == ["near", "mid"]


def test_names_with_quotes_are_names(table):
    fill(table, {"it's": 0.0, "other": 0.1}, structure="o'")
    query = Query("it's", QUERY.vector, "it's", "o'")
    assert ids(ask(table, query, exclude_self=True, same_architecture=True)) == ["other"]


def test_a_vector_of_zeros_is_like_nothing(table):
    table.upsert({Row("zero", Key("zero", "s")): np.zeros(2, np.float32)})
    fill(table, {"far": 3.0})
    assert [near.score for near in ask(table).neighbours] == pytest.approx([0.0, np.cos(3.0)])


def test_float32_does_not_decide_between_what_is_nearly_alike(tmp_path):
    generator = np.random.default_rng(0)
    centre = generator.normal(size=256)
    vectors = (centre + 1e-4 * generator.normal(size=(500, 256))).astype(np.float32)
    table = EmbeddingTable(str(tmp_path), "e", 256)
    table.upsert({Row(f"m{place:03d}", Key(f"{place}", "s")): vector for place, vector in enumerate(vectors)})
    query = (centre + 3e-3 * generator.normal(size=256)).astype(np.float32)
    exact, wanted = vectors.astype(np.float64), query.astype(np.float64)
    cosines = exact @ wanted / np.linalg.norm(exact, axis=1) / np.linalg.norm(wanted)
    found = ask(table, Query("q", query), k=10).neighbours
    assert [near.score for near in found] == pytest.approx([cosines[int(near.id[1:])] for near in found], abs=1e-15)
    assert min(near.score for near in found) >= np.sort(cosines)[-10] - TIE


def test_more_queries_than_are_compared_at_once_come_in_their_order(table, monkeypatch):
    monkeypatch.setattr("wembed.neighbours.find.AT_ONCE", 2)
    angles = {f"m{number}": 0.5 * number for number in range(5)}
    fill(table, angles)
    queries = [
        Query(name, np.array([np.cos(angle), np.sin(angle)], np.float32)) for name, angle in reversed(angles.items())
    ]
    assert [ids(found) for found in search(queries, table, Wanted(k=1))] == [[query.id] for query in queries]


def test_the_package_has_a_search_at_its_front_door(table):
    fill(table, {"near": 0.1, "mid": 1.0})
    query = wembed.Query("q", np.array([1.0, 0.0], np.float32))
    (found,) = wembed.search([query], table, wembed.Wanted(k=1))
    assert ids(found) == ["near"]
