"""`wembed embed -o`: what can't be written is said before the work."""

import os

import numpy as np
import pytest

from wembed.store.place import unwritable

WRITABLE = os.access


@pytest.mark.parametrize(
    ("out", "code", "message"),
    [
        ("nowhere/x.npz", 3, "error: cannot write nowhere/x.npz: there is no folder nowhere\nhint: make it first\n"),
        ("taken.npz", 2, "error: cannot write taken.npz: it is a folder\nhint: give -o the name of a file\n"),
        ("closed/x.npz", 1, "error: cannot write closed/x.npz: no permission to write to closed\n"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(run, folder, write, monkeypatch, out, code, message):
    write("a.safetensors", 0)
    for name in ("taken.npz", "closed"):
        (folder / name).mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: "closed" not in str(path) and WRITABLE(path, mode))
    monkeypatch.setattr("wembed.cli.embedding.embed_asked", lambda *_: pytest.fail("worked first"))
    result = run("embed", "a.safetensors", "-o", out)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(message)


@pytest.fixture
def read_only(monkeypatch):
    """What a store on a read-only file system says."""

    def refuse(self, vectors):
        raise unwritable(self.uri, OSError(30, "Read-only file system"))

    return lambda: monkeypatch.setattr("wembed.store.EmbeddingTable.upsert", refuse)


@pytest.mark.parametrize("named", [(), ("c", "a")])
def test_of_a_zoo_that_cannot_be_written_to_vectors_are_still_put_out(run, filled, read_only, named):
    read_only()
    result = run("embed", *named, "-o", "read.npz", "--encoder", "fingerprint", "-q")
    assert (result.code, result.err.count("\n")) == (0, 1)
    expected = list(named or "abc")
    assert result.err.startswith(f"warning: {len(expected)} embeddings are made for this call only: cannot write ")
    with np.load("read.npz") as found:
        assert found["ids"].tolist() == expected
        assert np.linalg.norm(found["embeddings"], axis=1) == pytest.approx(np.ones(len(expected)), abs=1e-5)


def test_of_a_zoo_that_cannot_be_written_to_only_what_is_new_is_made(run, filled, read_only, write):
    assert run("embed", "-o", "kept.npz", "--encoder", "fingerprint", "-q").code == 0
    assert run("zoo", "add", write("d.safetensors", 9), "--copy").code == 0
    read_only()
    result = run("embed", "-o", "read.npz", "--encoder", "fingerprint", "-q")
    assert (result.code, result.out.split()) == (0, [*"abcd"])
    assert result.err.startswith("warning: 1 embeddings are made for this call only: cannot write ")
    with np.load("kept.npz") as kept, np.load("read.npz") as read:
        assert np.array_equal(kept["embeddings"], read["embeddings"][:3])


def test_a_zoo_that_cannot_be_written_to_is_an_error_where_vectors_go_nowhere_else(run, filled, read_only):
    read_only()
    result = run("embed", "--encoder", "fingerprint")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: cannot write ")
