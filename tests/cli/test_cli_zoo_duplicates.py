import json
from pathlib import Path

import pytest

from wembed.store.place import unwritable


@pytest.fixture
def doubled(run, write) -> Path:
    """A zoo of two MLPs and a reordered copy of the first."""
    for seed, name in enumerate("ab"):
        write(f"models/{name}.safetensors", seed)
    assert run("permute", "models/a.safetensors", "-o", "models/c.safetensors").code == 0
    assert run("zoo", "add", "models", "--copy").code == 0
    return Path("zoo")


def test_a_copy_is_listed_behind_the_one_to_keep(run, doubled):
    result = run("zoo", "duplicates", "--json")
    kept, copy = json.loads(result.out)
    assert (kept["group"], kept["id"], kept["keep"], kept["reason"], kept["saved"]) == (1, "a", True, None, 0.0)
    assert (copy["id"], copy["keep"], copy["reason"]) == ("c", False, "same up to symmetry")
    assert copy["saved"] == copy["megabytes"] > 0


def test_it_says_what_could_be_saved_and_how(run, doubled):
    result = run("zoo", "duplicates")
    assert "note: 1 checkpoints are there again, 0.0 MB could be saved\n" in result.err
    assert result.err.endswith("next: wembed zoo rm --dry-run c\n")


def test_nothing_is_deleted(run, doubled):
    run("zoo", "duplicates")
    assert run("zoo", "list", "-q").out.split() == ["a", "b", "c"]
    assert len(list(doubled.glob("checkpoints/*.safetensors"))) == 3


def test_quiet_names_what_could_go(run, doubled):
    assert run("zoo", "duplicates", "-q").out == "c\n"


def test_without_duplicates_there_is_a_header_only(run, filled):
    result = run("zoo", "duplicates")
    assert result.out == "group\tid\tkeep\treason\tmegabytes\tsaved\tpath\n"
    assert "note: 0 checkpoints are there again, 0.0 MB could be saved\n" in result.err


def test_a_file_that_is_gone_is_a_failure_of_its_own(run, doubled):
    (doubled / "checkpoints" / "b.safetensors").unlink()
    result = run("zoo", "duplicates", "-q")
    assert (result.code, result.out) == (6, "c\n")
    assert result.err.startswith("error: ")
    assert "b.safetensors" in result.err


@pytest.fixture
def read_only(monkeypatch):
    """What a store on a read-only file system says."""

    def refuse(self, vectors):
        raise unwritable(self.uri, OSError(30, "Read-only file system"))

    monkeypatch.setattr("wembed.store.EmbeddingTable.upsert", refuse)


def test_a_zoo_that_cannot_be_written_to_is_compared_in_memory(run, doubled, read_only):
    result = run("zoo", "duplicates", "-q")
    assert (result.code, result.out) == (0, "c\n")
    assert result.err.startswith("warning: 3 embeddings are made for this call only: cannot write ")
    assert result.err.count("\n") == 1


def test_of_a_zoo_that_cannot_be_written_to_only_what_is_new_is_made(run, doubled, write, monkeypatch, request):
    assert run("embed", "--encoder", "fingerprint", "-q").code == 0
    write("models/d.safetensors", 9)
    assert run("zoo", "add", "models/d.safetensors", "--copy").code == 0
    request.getfixturevalue("read_only")
    result = run("zoo", "lineage", "--json")
    assert result.code == 0
    assert [row["id"] for row in json.loads(result.out)] == ["a", "b", "c", "d"]
    assert result.err.startswith("warning: 1 embeddings are made for this call only: cannot write ")
