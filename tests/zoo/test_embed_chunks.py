"""Embedding in chunks: what is put together, what a failure or a kill costs, and that a batch changes no vector."""

import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo, locate
from wembed.encoder import load_encoder
from wembed.errors import CheckpointRefusedError
from wembed.store import Key
from wembed.zoo import add, embed_given, embed_zoo, open_table
from wembed.zoo.embed.chunks import Bounds, alike_together, within


class Recording:
    """Embeds a checkpoint as its parameter count, refuses those named in `broken`, and remembers its batches."""

    name, id, dimension = "recording", "recording-1", 2

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.broken: dict[str, Exception] = {}

    def embed(self, items):
        names = [checkpoint.path.stem for checkpoint, _ in items]
        self.batches.append(names)
        for name in names:
            if name in self.broken:
                raise self.broken[name]
        return np.array([[checkpoint.parameters, 1.0] for checkpoint, _ in items], np.float32)


@dataclass(frozen=True)
class Weight:
    parameters: int


@pytest.fixture
def encoder() -> Recording:
    return Recording()


@pytest.fixture
def filled(zoo, write, tmp_path) -> Zoo:
    """Six networks of two structures in turn."""
    add(zoo, [write(tmp_path / f"{name}.safetensors", seed, 6 + seed % 2) for seed, name in enumerate("abcdef")])
    return zoo


def stored(zoo: Zoo, encoder) -> set[str]:
    """Ids whose embeddings are in the table on disk."""
    keys = open_table(zoo, encoder, None).keys()
    return {row.id for row in zoo.rows() if Key(row.content, row.spec) in keys}


def bounded(monkeypatch, checkpoints: int, parameters: int = 1_000_000) -> None:
    monkeypatch.setattr("wembed.zoo.embed.chunks.CHUNK", Bounds(checkpoints, parameters))


def test_chunks_are_bounded_in_number_and_in_parameters():
    sizes = [1, 1, 1, 5, 9, 1, 3, 2]
    parts = within(Bounds(3, 6), map(Weight, sizes))
    assert [[item.parameters for item in part] for part in parts] == [[1, 1, 1], [5], [9], [1, 3, 2]]
    assert list(within(Bounds(3, 6), [])) == []


def test_items_are_taken_only_as_they_are_needed():
    taken = []
    parts = within(Bounds(2, 9), (taken.append(number) or Weight(1) for number in range(100)))
    next(parts)
    assert taken == [0, 1, 2]


def test_structures_come_together_in_the_order_of_their_first():
    assert alike_together(["b1", "a1", "b2", "c1", "a2"], lambda name: name[0]) == ["b1", "b2", "a1", "a2", "c1"]


def test_one_structure_is_one_batch_and_rows_stay_in_order(filled, encoder, monkeypatch):
    bounded(monkeypatch, 3)
    result = embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert encoder.batches == [["a", "c", "e"], ["b", "d", "f"]]
    assert [entry.id for entry in result.done] == list("abcdef")
    assert [entry.vector[0] for entry in result.done] == [entry.params for entry in result.done]


def test_given_checkpoints_are_batched_too_and_stay_in_the_order_asked(filled, encoder, monkeypatch):
    bounded(monkeypatch, 3)
    asked = [locate(name, filled) for name in "fedcba"]
    result = embed_given(asked, filled, encoder, open_table(filled, encoder, None))
    assert encoder.batches == [["f", "d", "b"], ["e", "c", "a"]]
    assert [entry.id for entry in result.done] == list("fedcba")


def test_a_large_model_goes_alone(filled, encoder, write, tmp_path, monkeypatch):
    add(filled, [write(tmp_path / "large.safetensors", 9, 500)])
    bounded(monkeypatch, 10, 2000)
    embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert encoder.batches == [["a", "c", "e", "b", "d", "f"], ["large"]]


@pytest.mark.parametrize("error", [CheckpointRefusedError("c: broken"), OSError(5, "Input/output error")])
def test_what_fails_in_a_chunk_fails_alone(filled, encoder, error):
    encoder.broken = {"c": error}
    result = embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert [entry.id for entry in result.done] == list("abdef")
    assert stored(filled, encoder) == set("abdef")
    (failure,) = result.failures
    assert failure.id == "c"
    assert failure.error.message in (
        "c: broken",
        f"{filled.path_of(filled.rows()[2])}: cannot be read: input/output error",
    )


def test_failures_come_in_the_order_asked(filled, encoder, tmp_path):
    (tmp_path / "f.safetensors").write_bytes(b"no weights")
    encoder.broken = {"b": CheckpointRefusedError("b"), "a": CheckpointRefusedError("a")}
    result = embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert [failure.id for failure in result.failures] == ["a", "b", "f"]


def test_an_interrupt_keeps_the_chunks_before_it(filled, encoder, monkeypatch):
    bounded(monkeypatch, 2)
    encoder.broken = {"b": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert stored(filled, encoder) == {"a", "c"}


def test_every_chunk_is_one_commit(filled, encoder, monkeypatch):
    bounded(monkeypatch, 4)
    table, commits = open_table(filled, encoder, None), []
    monkeypatch.setattr(table, "upsert", lambda vectors: commits.append(len(vectors)))
    embed_zoo(filled, encoder, table)
    assert commits == [4, 2]


def test_progress_counts_every_checkpoint_once(filled, encoder, tmp_path):
    embed_given([locate("b", filled)], filled, encoder, open_table(filled, encoder, None))
    (tmp_path / "c.safetensors").unlink()
    told = []
    embed_zoo(filled, encoder, open_table(filled, encoder, None), lambda *each: told.append(each))
    assert told == [(number, 6) for number in range(1, 7)]


def test_a_copy_is_tried_where_the_first_cannot_be_read(filled, encoder, write, tmp_path):
    copy = write(tmp_path / "copy" / "a.safetensors", 0, 6)
    add(filled, [copy])
    (tmp_path / "a.safetensors").unlink()
    result = embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert [failure.id for failure in result.failures] == ["a"]
    assert [entry.skipped for entry in result.done] == [False] * 6
    assert len(stored(filled, encoder)) == 7  # both go by one key


def test_seconds_are_shared_by_parameters(filled, encoder, monkeypatch):
    monkeypatch.setattr("wembed.zoo.embed.opened.time.perf_counter", iter(range(1000)).__next__)
    done = embed_zoo(filled, encoder, open_table(filled, encoder, None)).done
    assert sum(entry.seconds for entry in done) == pytest.approx(6 + 1)  # one to open each, one for the chunk
    share = [entry.seconds - 1 for entry in done]
    assert share[1] / share[0] == pytest.approx(done[1].params / done[0].params)


def test_rows_of_another_version_are_renewed_in_one_write(filled, encoder, monkeypatch):
    rows = filled.rows()
    filled.append([CatalogRow(**(row.as_dict() | {"spec": "of another version"})) for row in rows])
    appended = []
    append = filled.append
    monkeypatch.setattr(type(filled), "append", lambda zoo, rows: appended.append(len(rows)) or append(rows))
    assert not embed_zoo(filled, encoder, open_table(filled, encoder, None)).failures
    assert appended == [6]
    assert [row.spec for row in filled.rows()] == [row.spec for row in rows]


@pytest.mark.parametrize(("name", "tolerance"), [("fingerprint", 0.0), ("stats", 0.0), ("gnn", 1e-5)])
def test_a_vector_does_not_depend_on_what_shares_its_chunk(filled, name, tolerance, monkeypatch):
    encoder = load_encoder(name)
    asked = [locate(name, filled) for name in "abcdef"]
    together = embed_given(asked, filled, encoder, None).done
    alone = [embed_given([located], filled, encoder, None).done[0] for located in asked]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.vector - other.vector).max() <= tolerance


def test_more_files_than_may_be_open_at_once_can_be_embedded(write, tmp_path):
    first = write(tmp_path / "0.safetensors", 0)
    for number in range(1, 80):
        shutil.copy(first, tmp_path / f"{number}.safetensors")
    asked = [locate(str(tmp_path / f"{number}.safetensors"), None) for number in range(80)]
    encoder = load_encoder("gnn")
    embed_given(asked[:1], None, encoder, None)  # loads what it needs
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 40, hard))
    try:
        result = embed_given(asked, None, encoder, None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (len(result.done), result.failures) == (80, [])
