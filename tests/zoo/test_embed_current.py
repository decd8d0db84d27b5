"""A table that follows its catalog: ids, columns, copies, what has left, and the mark that nothing is to do."""

import dataclasses
import shutil

import numpy as np
import pytest

from wembed.catalog import Zoo
from wembed.errors import WembedError
from wembed.store import EmbeddingTable
from wembed.zoo import add, embed_given, embed_zoo, locate_all, open_table
from wembed.zoo.embed import is_current, with_vectors


class Counting:
    """Embeds a checkpoint as its parameter count, and counts."""

    name, id, dimension = "counting", "counting-1", 2

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, items):
        self.seen += len(items)
        return np.array([[checkpoint.parameters, 1.0] for checkpoint, _ in items], np.float32)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


@pytest.fixture
def filled(zoo, write, tmp_path, encoder) -> Zoo:
    add(zoo, [write(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate("abc")])
    embed_zoo(zoo, encoder, open_table(zoo, encoder, None))
    return zoo


def table(zoo: Zoo, encoder) -> EmbeddingTable:
    return open_table(zoo, encoder, None)


def caught_up(zoo: Zoo, encoder) -> EmbeddingTable:
    embed_zoo(zoo, encoder, table(zoo, encoder))
    return table(zoo, encoder)


def ids(table: EmbeddingTable) -> list[str]:
    return sorted(row["id"] for row in table.rows(None, ["id"]))


def change(zoo: Zoo, place: int, **columns) -> None:
    zoo.append([dataclasses.replace(zoo.rows()[place], **columns)])


def test_a_row_has_the_catalogs_columns(filled, encoder):
    change(filled, 1, dataset="mnist", accuracy=0.75, tags=["vision", "small"], licence="mit")
    (row,) = caught_up(filled, encoder).rows("id = 'b'")
    assert (row["dataset"], row["accuracy"], row["tags"], row["licence"]) == ("mnist", 0.75, "vision, small", "mit")
    assert (row["params"], row["structure"], row["tier"]) == tuple(
        getattr(filled.rows()[1], name) for name in ("params", "structure", "tier")
    )


def test_copies_are_stored_for_each_id_and_computed_once(filled, encoder, write, tmp_path):
    add(filled, [write(tmp_path / "copy" / "a.safetensors", 0), write(tmp_path / "one" / "n.safetensors", 8)])
    add(filled, [write(tmp_path / "two" / "n.safetensors", 8)])
    embedded = caught_up(filled, encoder)
    assert ids(embedded) == sorted(row.id for row in filled.rows())
    assert encoder.seen == 4


def test_what_has_left_the_catalog_leaves_the_table(filled, encoder):
    filled.remove(["b"])
    assert ids(caught_up(filled, encoder)) == ["a", "c"]


def test_a_new_id_keeps_the_vector(filled, encoder):
    row = filled.rows()[0]
    filled.remove(["a"])
    filled.append([dataclasses.replace(row, id="renamed")])
    assert ids(caught_up(filled, encoder)) == ["b", "c", "renamed"]
    assert encoder.seen == 3


def test_a_table_is_current_until_the_catalog_changes(filled, encoder):
    assert is_current(filled, table(filled, encoder))
    change(filled, 0, dataset="mnist")
    assert not is_current(filled, table(filled, encoder))
    assert is_current(filled, caught_up(filled, encoder))
    filled.remove(["a"])
    assert not is_current(filled, table(filled, encoder))


def test_a_table_that_is_not_there_is_not_current(zoo, encoder):
    assert not is_current(zoo, table(zoo, encoder))


def test_a_file_that_is_gone_is_tried_again_once_it_is_back(filled, encoder, write, tmp_path):
    path = write(tmp_path / "d.safetensors", 9)
    add(filled, [path])
    assert not is_current(filled, table(filled, encoder))
    path.unlink()
    assert is_current(filled, caught_up(filled, encoder))
    write(path, 9)
    assert not is_current(filled, table(filled, encoder))
    assert is_current(filled, caught_up(filled, encoder))
    assert ids(table(filled, encoder)) == ["a", "b", "c", "d"]


def test_a_broken_file_is_tried_again_once_it_has_changed(filled, encoder, write, tmp_path):
    path = write(tmp_path / "d.safetensors", 9)
    add(filled, [path])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert is_current(filled, caught_up(filled, encoder))
    path.write_bytes(whole)
    assert not is_current(filled, table(filled, encoder))


def test_the_table_of_a_copied_zoo_is_current(filled, encoder, tmp_path):
    copy = Zoo.open(shutil.copytree(filled.root, tmp_path / "copy", copy_function=shutil.copyfile))
    assert is_current(copy, table(copy, encoder))


def test_embedding_again_changes_nothing(filled, encoder):
    version = table(filled, encoder).dataset.version
    assert caught_up(filled, encoder).dataset.version == version


def test_vectors_are_read_for_what_was_there_already(filled, encoder):
    result = embed_zoo(filled, encoder, table(filled, encoder))
    assert all(entry.vector is None for entry in result.done)
    found = with_vectors(result, table(filled, encoder))
    assert [entry.vector[0] for entry in found.done] == [entry.params for entry in found.done]


def test_a_table_that_does_not_say_whose_it_is_is_not_emptied(filled, encoder, write, tmp_path, monkeypatch):
    store = str(tmp_path / "shared")
    embed_zoo(filled, encoder, open_table(filled, encoder, store))
    monkeypatch.setattr(EmbeddingTable, "note", lambda *_: None)  # of an earlier version, or killed before it was told
    other = Zoo.create(tmp_path / "other")
    add(other, [write(tmp_path / "z.safetensors", 77)])
    with pytest.raises(WembedError, match="holds embeddings of 3 checkpoints, none of them in the zoo ") as caught:
        embed_zoo(other, encoder, open_table(other, encoder, store))
    assert caught.value.hint == "give each zoo a --store of its own, or delete the table"
    assert ids(open_table(filled, encoder, store)) == ["a", "b", "c"]


def test_zoos_of_the_same_ids_do_not_share_a_table(filled, encoder, write, tmp_path):
    store = str(tmp_path / "shared")
    embed_zoo(filled, encoder, open_table(filled, encoder, store))
    other = Zoo.create(tmp_path / "other")
    add(other, [write(tmp_path / "one" / "a.safetensors", 77), write(tmp_path / "one" / "b.safetensors", 1)])
    said = f"holds embeddings of the zoo {filled.root}, not of {other.root}$"
    with pytest.raises(WembedError, match=said):
        embed_zoo(other, encoder, open_table(other, encoder, store))
    located = locate_all(["a"], other).located
    with pytest.raises(WembedError, match=said):
        embed_given(located, other, encoder, open_table(other, encoder, store))
    assert ids(open_table(filled, encoder, store)) == ["a", "b", "c"]


def test_a_moved_zoo_keeps_its_table(filled, encoder, write, tmp_path):
    store = str(tmp_path / "shared")
    embed_zoo(filled, encoder, open_table(filled, encoder, store))
    moved = Zoo.open(filled.root.rename(tmp_path / "moved"))
    add(moved, [write(tmp_path / "d.safetensors", 9)])
    embed_zoo(moved, encoder, open_table(moved, encoder, store))
    assert ids(open_table(moved, encoder, store)) == ["a", "b", "c", "d"]


def test_a_zoo_whose_checkpoints_are_all_others_now_empties_its_own_table(filled, encoder, write, tmp_path):
    filled.remove(["a", "b", "c"])
    add(filled, [write(tmp_path / "z.safetensors", 77)])
    assert ids(caught_up(filled, encoder)) == ["z"]
