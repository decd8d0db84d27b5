import re

import numpy as np
import pytest

from wembed.catalog import Zoo, locate
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError, WembedError
from wembed.store import EmbeddingTable
from wembed.symmetry import declare_spec, save_spec
from wembed.zoo import (
    add,
    check_suffix,
    embed_given,
    embed_zoo,
    find_encoder,
    open_table,
    save_embeddings,
    verify,
)
from wembed.zoo.embed.chunks import Bounds


class CountingEncoder:
    """Embeds a checkpoint as its parameter count, and remembers what it has seen."""

    name, id, dimension = "counting", "counting-1", 2

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, items):
        self.seen += [checkpoint.path.stem for checkpoint, _ in items]
        return np.array([[checkpoint.parameters, 1.0] for checkpoint, _ in items], np.float32)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def filled(zoo, write, tmp_path) -> Zoo:
    add(zoo, [write(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate("abc")])
    return zoo


@pytest.fixture
def table(filled, encoder) -> EmbeddingTable:
    return open_table(filled, encoder, None)


def test_only_what_is_missing_is_embedded(filled, encoder, table, write, tmp_path):
    assert [entry.skipped for entry in embed_zoo(filled, encoder, table).done] == [False] * 3
    add(filled, [write(tmp_path / "d.safetensors", 9)])
    again = embed_zoo(filled, encoder, open_table(filled, encoder, None))
    assert [(entry.id, entry.skipped) for entry in again.done][2:] == [("c", True), ("d", False)]
    assert encoder.seen == ["a", "b", "c", "d"]


def test_copies_of_the_same_weights_are_embedded_once(filled, encoder, table, write, tmp_path):
    add(filled, [write(tmp_path / "copy" / "a.safetensors", 0)])
    embed_zoo(filled, encoder, table)
    assert encoder.seen == ["a", "b", "c"]


def test_a_file_that_is_gone_or_changed_fails_alone(filled, encoder, table, write, tmp_path):
    (tmp_path / "a.safetensors").unlink()
    write(tmp_path / "b.safetensors", 99)
    result = embed_zoo(filled, encoder, table)
    assert [entry.id for entry in result.done] == ["c"]
    gone, changed = (failure.error for failure in result.failures)
    assert isinstance(gone, NotFoundError)
    assert isinstance(changed, CheckpointRefusedError)
    assert changed.message.endswith("b.safetensors: changed since it was added to the zoo")
    assert changed.hint.startswith("take it in again with `wembed zoo add ")


def test_batches_are_written_as_they_fill(filled, encoder, table, monkeypatch):
    monkeypatch.setattr("wembed.zoo.embed.chunks.CHUNK", Bounds(2, 1000))
    written = []
    monkeypatch.setattr(table, "upsert", lambda vectors: written.append(len(vectors)))
    embed_zoo(filled, encoder, table)
    assert written == [2, 1]


def test_an_interrupted_run_keeps_what_it_has_done(filled, encoder, table, monkeypatch):
    monkeypatch.setattr("wembed.zoo.embed.chunks.CHUNK", Bounds(2, 1000))
    embed = encoder.embed

    def interrupted_at_c(items):
        if items[0][0].path.stem == "c":
            raise KeyboardInterrupt
        return embed(items)

    monkeypatch.setattr(encoder, "embed", interrupted_at_c)
    with pytest.raises(KeyboardInterrupt):
        embed_zoo(filled, encoder, table)
    assert len(open_table(filled, encoder, None).keys()) == 2


def test_an_embedding_that_is_not_finite_is_refused(filled, encoder, table, monkeypatch):
    monkeypatch.setattr(encoder, "embed", lambda items: np.full((len(items), 2), np.nan, np.float32))
    result = embed_zoo(filled, encoder, table)
    assert result.failures[0].error.message.endswith("its embedding by counting is not finite")
    assert len(result.failures) == 3


def test_a_store_that_cannot_be_written_ends_the_run(filled, encoder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WembedError, match="cannot write embeddings to"):
        embed_zoo(filled, encoder, open_table(filled, encoder, str(tmp_path / "file")))


def test_a_new_spec_of_a_structure_is_embedded_beside_the_old_one(filled, encoder, table, write, tmp_path):
    from wembed.checkpoint import open_checkpoint

    embed_zoo(filled, encoder, table)
    checkpoint = open_checkpoint(tmp_path / "a.safetensors")
    shapes = {name: info.shape for name, info in checkpoint.tensors.items()}
    spec = declare_spec(shapes, [["0", "relu", "2", "relu", "4"]])
    row = filled.rows()[0]
    save_spec(spec, filled.root / "specs" / f"{row.structure}.json")
    located = locate("a", filled)
    assert embed_given([located], filled, encoder, table).done[0].skipped  # the row's own spec still holds
    (filled.root / "specs" / f"{row.structure}.json").unlink()
    filled.append([type(row)(**(row.as_dict() | {"spec": "of another version"}))])
    assert not embed_zoo(filled, encoder, table).failures
    assert {entry.id: entry.spec for entry in filled.rows()}["a"] == row.spec


def test_given_checkpoints_have_vectors_and_are_kept_only_if_in_the_zoo(filled, encoder, table, write, tmp_path):
    stranger = write(tmp_path / "elsewhere" / "z.safetensors", 42)
    asked = [locate(str(stranger), filled), locate("b", filled)]
    result = embed_given(asked, filled, encoder, table)
    assert [entry.id for entry in result.done] == [str(stranger), "b"]
    assert all(entry.vector is not None for entry in result.done)
    assert {key.content for key in table.keys()} == {filled.rows()[1].content}  # noqa: SIM118 - a method of the table


def test_a_changed_file_of_the_zoo_is_embedded_as_it_is_now(filled, encoder, table, write, tmp_path):
    embed_zoo(filled, encoder, table)
    write(tmp_path / "a.safetensors", 7, hidden=20)
    (entry,) = embed_given([locate("a", filled)], filled, encoder, table).done
    assert not entry.skipped
    assert entry.vector[0] == entry.params
    assert len(table.keys()) == 3


def test_without_a_zoo_nothing_is_stored(write, encoder, tmp_path):
    located = locate(str(write(tmp_path / "a.safetensors")), None)
    (entry,) = embed_given([located], None, encoder, None).done
    assert not entry.skipped


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_saved_embeddings_are_in_the_order_asked(filled, encoder, table, tmp_path, suffix):
    done = embed_given([locate(name, filled) for name in "ca"], filled, encoder, table).done
    path = tmp_path / f"out{suffix}"
    save_embeddings(path, done, encoder.dimension)
    if suffix == ".npz":
        with np.load(path) as saved:
            ids, vectors = saved["ids"].tolist(), saved["embeddings"]
    else:
        import pyarrow.parquet

        columns = pyarrow.parquet.read_table(path).to_pydict()
        ids, vectors = columns["id"], np.array(columns["embedding"], np.float32)
    assert ids == ["c", "a"]
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, [entry.vector for entry in done])
    assert not list(tmp_path.glob(".*.partial"))


def test_saving_nothing_gives_empty_arrays(tmp_path):
    save_embeddings(tmp_path / "x.npz", [], 7)
    with np.load(tmp_path / "x.npz") as saved:
        assert (saved["ids"].shape, saved["embeddings"].shape) == ((0,), (0, 7))


def test_what_cannot_be_written_says_so(tmp_path):
    check_suffix(None)
    with pytest.raises(UsageError, match=r"cannot write x.csv: known are .npz, .parquet"):
        check_suffix(tmp_path.__class__("x.csv"))
    with pytest.raises(WembedError, match=r"cannot write .*: no such file or directory"):
        save_embeddings(tmp_path / "none" / "x.npz", [], 3)


def test_an_unknown_encoder_lists_the_known_ones(zoo):
    (zoo.root / "encoders" / "mine").mkdir()
    (zoo.root / "encoders" / "mine" / "config.json").write_text("{}")
    with pytest.raises(NotFoundError, match="no encoder named nope") as caught:
        find_encoder("nope", zoo)
    assert re.fullmatch("known are fingerprint, stats, gnn, (pretrained, )?mine, or give a folder", caught.value.hint)


def test_an_encoder_is_found_by_name_in_the_zoo_and_as_a_folder(zoo):
    from wembed.encoder import Fingerprint, save_encoder

    save_encoder(Fingerprint(), zoo.root / "encoders" / "mine")
    ids = {find_encoder(name, zoo).id for name in (None, "fingerprint", "mine", str(zoo.root / "encoders" / "mine"))}
    assert len(ids) == 1


def test_verify_finds_what_is_missing_broken_or_changed(filled, write, tmp_path):
    assert verify(filled) == []
    (tmp_path / "a.safetensors").unlink()
    write(tmp_path / "b.safetensors", 99)
    (tmp_path / "c.safetensors").write_bytes(b"short")
    problems = {problem.id: problem.problem for problem in verify(filled)}
    assert problems["a"] == "missing"
    assert problems["b"].startswith("sha256 is ")
    assert "c.safetensors" in problems["c"]
