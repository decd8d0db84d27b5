import io
import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def copied(run, write) -> Path:
    """A zoo of three MLPs, the last made from the first, all in its own folder."""
    for seed, name in enumerate("abc"):
        write(f"models/{name}.safetensors", seed, {"parent": "a"} if name == "c" else {})
    assert run("zoo", "add", "models", "--copy").code == 0
    return Path("zoo")


def names(run) -> list[str]:
    return run("zoo", "list", "-q").out.split()


def test_a_row_and_its_file_go(run, copied):
    result = run("zoo", "rm", "a")
    assert result.out == f"id\tpath\tfile\tchildren\na\t{Path('zoo/checkpoints/a.safetensors')}\tdeleted\tc\n"
    assert "note: 1 rows and 1 files removed\n" in result.err
    assert "note: 1 children stay, and go on naming what they were made from\n" in result.err
    assert names(run) == ["b", "c"]
    assert json.loads(run("zoo", "show", "c", "--json").out)[0]["parent"] == "a"
    assert not Path("zoo/checkpoints/a.safetensors").exists()


def test_files_that_are_not_the_zoos_stay(run, filled):
    assert json.loads(run("zoo", "rm", "a", "--json").out)[0]["file"] == "kept"
    assert Path("models/a.safetensors").exists()
    assert names(run) == ["b", "c"]


def test_a_dry_run_removes_nothing(run, copied):
    result = run("zoo", "rm", "a", "b", "--dry-run")
    assert "note: 2 rows and 2 files would be removed, nothing is\n" in result.err
    assert names(run) == ["a", "b", "c"]
    assert Path("zoo/checkpoints/a.safetensors").exists()


def test_an_unknown_id_removes_nothing(run, copied):
    result = run("zoo", "rm", "a", "bb")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: bb: no such file, and no such id in the zoo at zoo\n")
    assert names(run) == ["a", "b", "c"]


def test_ids_come_from_standard_input_and_none_twice(run, copied, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\na\n"))
    assert run("zoo", "rm", "-", "-q").out.split() == ["a", "b"]
    assert names(run) == ["c"]


def test_a_person_says_yes_to_several(run, copied, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    refused = run("zoo", "rm", "a", "b")
    assert (refused.code, names(run)) == (2, ["a", "b", "c"])
    assert refused.err == ("error: 2 checkpoints would be removed\nhint: say --yes, or look first with --dry-run\n")
    assert run("zoo", "rm", "a").code == 0
    assert run("zoo", "rm", "b", "c", "--yes").code == 0
    assert names(run) == []


def test_search_does_not_give_what_was_removed(run, copied):
    query = Path("models/b.safetensors")
    assert "b" in [row["id"] for row in json.loads(run("search", query, "-k", "3", "--json").out)]
    run("zoo", "rm", "b")
    assert {row["id"] for row in json.loads(run("search", query, "-k", "3", "--json").out)} == {"a", "c"}
    assert run("zoo", "verify").code == 0
