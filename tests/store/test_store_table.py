import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from wembed.errors import UsageError, WembedError
from wembed.store import CATALOG_COLUMNS, PLAIN_COLUMNS, EmbeddingTable, Key, Row
from wembed.store.older import renew
from wembed.store.schema import arrow_rows, arrow_schema
from wembed.store.tidy import tidy

KEYS = [Key(f"content{number}", "spec") for number in range(5)]

UPSERT = """
import sys
import numpy as np
from wembed.store import EmbeddingTable, Key, Row
table = EmbeddingTable(sys.argv[1], "e", 3)
for number in range(3):
    own, shared = (Row(name, Key(name, "s")) for name in (f"{sys.argv[2]}{number}", f"shared{number}"))
    table.upsert({own: np.ones(3, np.float32), shared: np.zeros(3, np.float32)})
"""


def vectors(*keys: Key, value: float = 1.0, **columns) -> dict[Row, np.ndarray]:
    rows = [Row(f"id-{key.content}-{key.spec}", key, columns) for key in keys]
    return {row: np.full(3, value + number, np.float32) for number, row in enumerate(rows)}


def reopened(table: EmbeddingTable) -> EmbeddingTable:
    return EmbeddingTable(table.uri.rsplit("/", 1)[0], table.encoder_id, table.dimension)


def ids(table: EmbeddingTable, where: str | None = None) -> list[str]:
    return sorted(row["id"] for row in table.rows(where, ["id"]))


@pytest.fixture
def table(tmp_path) -> EmbeddingTable:
    return EmbeddingTable(str(tmp_path / "embeddings"), "e", 3)


def test_a_missing_table_is_empty(table, tmp_path):
    assert table.keys() == set()
    assert table.fetch(KEYS) == {}
    assert list(table.blocks()) == []
    assert not (tmp_path / "embeddings").exists()


def test_what_is_put_in_comes_out(table):
    table.upsert(vectors(*KEYS))
    found = reopened(table).fetch([KEYS[3], Key("other", "spec")])
    assert list(found) == [KEYS[3]]
    assert found[KEYS[3]].tolist() == [4.0, 4.0, 4.0]
    assert table.keys() == set(KEYS)


def test_upsert_is_idempotent_and_replaces(table):
    for value in (1.0, 1.0, 7.0):
        table.upsert(vectors(*KEYS, value=value))
    assert table.count() == sum(len(block.vectors) for block in table.blocks()) == len(KEYS)
    assert table.fetch(KEYS[:1])[KEYS[0]].tolist() == [7.0] * 3


def test_the_same_weights_under_two_specs_are_two_rows(table):
    table.upsert(vectors(Key("c", "one"), Key("c", "two")))
    assert {tuple(vector) for vector in table.fetch([Key("c", "one"), Key("c", "two")]).values()} == {
        (1,) * 3,
        (2,) * 3,
    }


def test_many_keys_are_fetched_by_a_scan(table):
    keys = [Key(f"o'{number}", "s") for number in range(600)]
    table.upsert(vectors(*keys))
    assert set(table.fetch(keys)) == set(keys)
    assert table.fetch([keys[5]])[keys[5]][0] == 6.0


def test_two_encoders_never_mix(tmp_path):
    one, two = (EmbeddingTable(str(tmp_path), name, 3) for name in ("one", "two"))
    one.upsert(vectors(KEYS[0]))
    two.upsert(vectors(KEYS[1]))
    assert (one.keys(), two.keys()) == ({KEYS[0]}, {KEYS[1]})


@pytest.mark.parametrize(
    ("encoder", "dimension", "found"), [("other", 3, "encoder e with 3"), ("e", 4, "encoder e with 3")]
)
def test_a_table_of_another_encoder_is_refused_naming_both(table, tmp_path, encoder, dimension, found):
    table.upsert(vectors(*KEYS))
    if encoder != "e":
        (tmp_path / "embeddings" / "e.lance").rename(tmp_path / "embeddings" / "other.lance")
    with pytest.raises(WembedError) as caught:
        EmbeddingTable(str(tmp_path / "embeddings"), encoder, dimension)
    assert f"of {found}, expected encoder {encoder} with {dimension} dimensions" in caught.value.message


def test_a_broken_table_says_what_to_do(tmp_path):
    (tmp_path / "e.lance").write_text("no table")
    with pytest.raises(WembedError, match="cannot read embeddings from ") as caught:
        EmbeddingTable(str(tmp_path), "e", 3)
    assert "delete the table" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WembedError, match="cannot write embeddings to ") as caught:
        EmbeddingTable(str(tmp_path / "file"), "e", 3).upsert(vectors(*KEYS))
    assert ".rs" not in caught.value.message
    assert caught.value.hint == "give a place that can be written with --store"


def test_vectors_are_in_memory_of_arrows_own_which_any_thread_may_free():
    vector, before = np.arange(1 << 16, dtype=np.float32), pa.total_allocated_bytes()
    rows = arrow_rows({Row("a", KEYS[0]): vector}, arrow_schema("e", len(vector)))
    assert pa.total_allocated_bytes() - before >= vector.nbytes
    assert np.array_equal(rows["vector"].chunk(0).flatten(), vector)


@pytest.mark.parametrize("where", ["id = 'a'", None])
def test_a_table_that_lost_its_files_is_damaged_whatever_the_filter(table, where):
    table.upsert(vectors(*KEYS))
    for file in Path(table.uri, "data").iterdir():
        file.unlink()
    with pytest.raises(WembedError, match="cannot read embeddings from ") as caught:
        reopened(table).rows(where)
    assert not isinstance(caught.value, UsageError)


def test_a_vector_of_another_length_is_a_bug_of_ours(table):
    with pytest.raises(ValueError, match=r"vectors are \(2,\), the table's are \(3,\)"):
        table.upsert({Row("a", KEYS[0]): np.zeros(2, np.float32)})


def test_many_small_batches_are_compacted(table, monkeypatch):
    monkeypatch.setattr("wembed.store.tidy.MANY", 3)
    for key in KEYS:
        table.upsert(vectors(key))
    assert table.keys() == set(KEYS)
    assert len(table.dataset.get_fragments()) < len(KEYS)


def test_of_two_that_compact_at_once_one_does(table, monkeypatch):
    for key in KEYS:
        table.upsert(vectors(key))
    behind = reopened(table)
    monkeypatch.setattr("wembed.store.tidy.MANY", 3)
    tidy(table.dataset)
    tidy(behind.dataset)
    assert len(reopened(table).dataset.get_fragments()) == 1


def test_old_versions_are_cleaned_up(table, monkeypatch):
    monkeypatch.setattr("wembed.store.tidy.MANY", 0)
    monkeypatch.setattr("wembed.store.tidy.KEEP_VERSIONS", timedelta(0))
    for key in KEYS:
        table.upsert(vectors(key))
    assert len(table.dataset.versions()) == 1


def test_processes_that_write_at_once_lose_nothing_and_put_nothing_in_twice(tmp_path):
    commands = [[sys.executable, "-c", UPSERT, str(tmp_path), prefix] for prefix in "abc"]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0, 0, 0]
    expected = {f"{prefix}{number}" for prefix in ("a", "b", "c", "shared") for number in range(3)}
    assert Counter(ids(EmbeddingTable(str(tmp_path), "e", 3))) == Counter(expected)


def test_a_block_gives_the_columns_of_the_rows_asked_for_in_their_order(table):
    table.upsert(vectors(*KEYS, params=7, accuracy=0.5, tags="a, b"))
    table.synchronise(table.held(), [row for row in table.held() if row.key != KEYS[1]])
    (block,) = table.blocks("content != 'content2'")
    assert [row["content"] for row in block.take([2, 0])] == ["content4", "content0"]
    assert [vector[0] for vector in block.vectors[[2, 0]]] == [5.0, 1.0]
    assert block.take([]) == []
    (row,) = block.take([0])
    assert tuple(row) == PLAIN_COLUMNS
    assert (row["encoder"], row["params"], row["accuracy"], row["tags"], row["step"]) == ("e", 7, 0.5, "a, b", None)
    assert block.take([1], ["id"]) == [{"id": "id-content3-spec"}]


def test_a_filter_chooses_rows(table):
    table.upsert(vectors(*KEYS[:2], accuracy=0.9, tags="vision, small") | vectors(*KEYS[2:], accuracy=0.1))
    assert table.count("accuracy > 0.5 AND tags LIKE '%vision%'") == 2
    assert ids(table, "accuracy > 0.5") == ["id-content0-spec", "id-content1-spec"]
    assert sum(len(block.vectors) for block in table.blocks("accuracy < 0.5")) == 3
    assert table.count("(accuracy > 0.5) AND tags != ':)'") == 2


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("size > 3", "filter 'size > 3' is not understood: Schema error: No field named size"),
        ("params > 'a'", "could not convert to literal of type 'Int64'"),
        ("params >", "filter 'params >' is not understood: Error parsing statement"),
        ("params", "The filter params does not return a boolean"),
        ("1=1) OR (1=1", r"filter '1=1\) OR \(1=1' is not understood: its brackets don't match"),
        ("params = '\x1b[31m", r"filter \"params = '\\x1b\[31m\" is not understood"),
    ],
)
def test_a_filter_that_is_not_understood_is_one_line_and_names_the_columns(table, where, said):
    table.upsert(vectors(*KEYS))
    with pytest.raises(UsageError, match=said) as caught:
        list(table.blocks(where))
    assert caught.value.message.isprintable()
    assert caught.value.hint.startswith("columns are content, spec, encoder, id, path, ")


def test_vectors_are_found_by_id(table):
    table.upsert(vectors(*KEYS))
    found = table.find(["id-content1-spec", "nobody", "it's"])
    assert {id: vector.tolist() for id, vector in found.items()} == {"id-content1-spec": [2.0] * 3}


def test_a_table_is_brought_in_line_with_a_catalog(table):
    table.upsert(vectors(*KEYS[:3], accuracy=0.1))
    kept, renewed, renamed = (row for row in table.held())
    catalog = [
        kept,
        Row(renewed.id, renewed.key, {"accuracy": 0.2, "dataset": "mnist"}),
        Row("other", renamed.key),
        Row("copy", kept.key, {"params": 3}),
        Row("new", Key("not embedded", "spec")),
    ]
    table.synchronise(table.held(), catalog)
    assert ids(table) == sorted([kept.id, renewed.id, "other", "copy"])
    assert table.rows("dataset = 'mnist'", ["id", "accuracy"]) == [{"id": renewed.id, "accuracy": 0.2}]
    found = table.find(["other", "copy", renewed.id])
    assert [found[id][0] for id in ("other", "copy", renewed.id)] == [3.0, 1.0, 2.0]


def test_a_table_in_line_is_not_written(table):
    table.upsert(vectors(*KEYS, accuracy=0.1))
    version = table.dataset.version
    table.synchronise(table.held(), table.held())
    assert table.dataset.version == version


def test_what_others_add_while_a_catalog_is_read_stays(table):
    table.upsert(vectors(*KEYS[:2]))
    held = table.held()
    reopened(table).upsert(vectors(KEYS[2]))
    table.synchronise(held, held[:1])
    assert ids(reopened(table)) == ["id-content0-spec", "id-content2-spec"]


def test_notes_are_kept_with_the_table(table):
    table.set_notes({"mark": "early"})
    assert table.note("mark") is None
    table.upsert(vectors(*KEYS))
    assert table.note("mark") is None
    table.set_notes({"mark": "one", "other": "kept"})
    table.set_notes({"mark": "two"})
    table.upsert(vectors(KEYS[0]))
    assert [each.note(name) for each in (table, reopened(table)) for name in ("mark", "other")] == ["two", "kept"] * 2


def with_hashes(row: Row) -> Row:
    return replace(row, tensors={"0.weight": f"hash of {row.key.content}", "0.bias": "shared"})


def test_hashes_of_tensors_are_kept_and_stay_where_columns_change(table):
    rows = {with_hashes(row): vector for row, vector in vectors(*KEYS[:3]).items()}
    table.upsert(rows)
    renamed = replace(next(iter(rows)), id="renamed", tensors=None)
    table.synchronise(table.held(), [renamed, Row("id-content1-spec", KEYS[1], {"dataset": "digits"})])
    expected = {f"content{number}": {"0.weight": f"hash of content{number}", "0.bias": "shared"} for number in (0, 1)}
    assert reopened(table).tensors([key.content for key in KEYS]) == expected
    assert ids(table, "array_has(hashes, 'shared')") == ["id-content1-spec", "renamed"]


def test_rows_whose_tensors_are_not_known_have_none(table):
    table.upsert(vectors(*KEYS))
    assert table.tensors(["content0"]) == {}
    assert table.count("hashes IS NULL") == len(KEYS)


def test_an_id_that_is_no_text_is_spelt(table):
    row = Row("it's bad\udcff", KEYS[0])
    for _ in range(2):
        table.upsert({row: np.ones(3, np.float32)})
        table.synchronise(table.held(), [row])
    assert ids(table) == ["it's bad\\udcff"]
    assert list(table.find([row.id])) == [row.id]


def test_what_a_column_cannot_hold_does_no_harm(table):
    table.upsert(vectors(KEYS[0], path="bad\udcff.pt", seed=2**70))
    assert table.rows(None, ["path", "seed"]) == [{"path": "bad\\udcff.pt", "seed": None}]
    version = table.dataset.version
    table.synchronise(table.held(), [Row("id-content0-spec", KEYS[0], {"path": "bad\udcff.pt", "seed": 2**70})])
    assert table.dataset.version == version


def older_table(folder: Path) -> None:
    """A table as an earlier version wrote it, with a key that two processes had put in at once."""
    contents = ["content0", "content1", "content1"]
    names = [pa.field(name, pa.string(), nullable=False) for name in ("content", "spec", "encoder")]
    vector = pa.field("vector", pa.list_(pa.float32(), 3), nullable=False)
    columns = [
        pa.array(contents), pa.array(["spec"] * 3), pa.array(["e"] * 3),
        pa.FixedSizeListArray.from_arrays(pa.array([1.0] * 3 + [2.0] * 6, pa.float32()), 3),
    ]  # fmt: skip
    rows = pa.table(columns, schema=pa.schema([*names, vector], metadata={b"wembed.encoder": b"e"}))
    lance.write_dataset(rows, str(folder / "e.lance"))


def test_a_table_of_an_earlier_version_keeps_its_vectors(tmp_path):
    older_table(tmp_path)
    table = EmbeddingTable(str(tmp_path), "e", 3)
    assert table.count() == 2
    table.synchronise(table.held(), [Row(f"m{number}", key) for number, key in enumerate(KEYS)])
    assert {id: vector[0] for id, vector in table.find(["m0", "m1", "m2"]).items()} == {"m0": 1.0, "m1": 2.0}
    assert ids(table) == ["m0", "m1"]
    assert set(CATALOG_COLUMNS) <= set(table.dataset.schema.names)


def test_a_table_of_an_earlier_version_is_renewed_by_one_of_two(tmp_path):
    older_table(tmp_path)
    older = lance.dataset(str(tmp_path / "e.lance"))
    table = EmbeddingTable(str(tmp_path), "e", 3)
    table.upsert(vectors(KEYS[4]))
    assert renew(older, arrow_schema("e", 3)).count_rows() == 3
    assert reopened(table).count() == 3
