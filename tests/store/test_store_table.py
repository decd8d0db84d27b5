import subprocess
import sys

import numpy as np
import pytest

from wembed.errors import WembedError
from wembed.store import EmbeddingTable, Key

KEYS = [Key(f"content{number}", "spec") for number in range(5)]

UPSERT = """
import sys
import numpy as np
from wembed.store import EmbeddingTable, Key
table = EmbeddingTable(sys.argv[1], "e", 3)
for number in range(3):
    own, shared = Key(f"{sys.argv[2]}{number}", "s"), Key("shared", "s")
    table.upsert({own: np.ones(3, np.float32), shared: np.zeros(3, np.float32)})
"""


def vectors(*keys: Key, value: float = 1.0) -> dict[Key, np.ndarray]:
    return {key: np.full(3, value + number, np.float32) for number, key in enumerate(keys)}


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
    found = EmbeddingTable(table.uri.rsplit("/", 1)[0], "e", 3).fetch([KEYS[3], Key("other", "spec")])
    assert list(found) == [KEYS[3]]
    assert found[KEYS[3]].tolist() == [4.0, 4.0, 4.0]
    assert table.keys() == set(KEYS)


def test_upsert_is_idempotent_and_replaces(table):
    for value in (1.0, 1.0, 7.0):
        table.upsert(vectors(*KEYS, value=value))
    assert sum(len(block.keys) for block in table.blocks()) == len(KEYS)
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


def test_a_vector_of_another_length_is_a_bug_of_ours(table):
    with pytest.raises(ValueError, match=r"vectors are \(2,\), the table's are \(3,\)"):
        table.upsert({KEYS[0]: np.zeros(2, np.float32)})


def test_many_small_batches_are_compacted(table, monkeypatch):
    monkeypatch.setattr("wembed.store.table.COMPACT_AFTER", 3)
    for key in KEYS:
        table.upsert(vectors(key))
    assert table.keys() == set(KEYS)


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    commands = [[sys.executable, "-c", UPSERT, str(tmp_path), prefix] for prefix in "ab"]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0, 0]
    found = [key.content for block in EmbeddingTable(str(tmp_path), "e", 3).blocks() for key in block.keys]
    assert set(found) == {"shared", *(f"{prefix}{number}" for prefix in "ab" for number in range(3))}
