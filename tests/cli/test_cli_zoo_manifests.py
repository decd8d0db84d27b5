import json
from pathlib import Path

import pytest

from wembed.catalog.manifest import packaged_manifests

TEXT = """\
name: own
training: {snapshots: [2]}
groups:
  - {dataset: digits, architecture: {kind: mlp, hidden: [8]}, runs: 2}
"""


def test_the_packaged_ones_are_listed_with_what_they_make(run):
    listed = json.loads(run("zoo", "manifests", "--json").out)
    assert {row["name"] for row in listed} == set(packaged_manifests())
    assert all(list(row) == ["name", "command", "models", "checkpoints", "description"] for row in listed)
    digits = next(row for row in listed if row["name"] == "digits")
    assert (digits["models"], digits["checkpoints"]) == (1024, 3072)
    tiny = next(row for row in listed if row["name"] == "hub-tiny")
    assert (tiny["command"], tiny["models"], tiny["checkpoints"]) == ("pull", 10, None)
    assert {"digits", "hub-tiny"} <= set(run("zoo", "manifests", "-q").out.split())


def test_one_is_shown_as_it_is_written_and_can_be_built_on(run):
    shown = run("zoo", "manifests", "digits-wide")
    assert shown.out == packaged_manifests()["digits-wide"].read_text()
    Path("own.yaml").write_text(TEXT)
    assert run("zoo", "manifests", "own.yaml").out == TEXT
    missing = run("zoo", "manifests", "digitz")
    assert (missing.code, missing.err.splitlines()[0]) == (3, "error: no manifest digitz")


def test_the_schema_is_json_and_nothing_else(run):
    result = run("zoo", "manifests", "--schema")
    assert result.err == ""
    schema = json.loads(result.out)
    kinds = [schema["$defs"][kind["$ref"].rpartition("/")[2]] for kind in schema["anyOf"]]
    assert ["groups" in kind["properties"] for kind in kinds] == [True, False]
    assert ["repositories" in kind["properties"] for kind in kinds] == [False, True]
    assert run("zoo", "manifests", "digits", "--schema").code == 2


def test_a_manifest_to_pull_is_not_built(run):
    result = run("zoo", "build", "hub-tiny")
    path = packaged_manifests()["hub-tiny"]
    assert result.code == 2
    assert result.err.splitlines() == [
        f"error: {path}: is a manifest of `wembed zoo pull`",
        "hint: run `wembed zoo pull hub-tiny`",
    ]
    assert not Path("zoo").exists()


def test_only_manifests_to_build_are_suggested_to_a_build(run):
    hint = run("zoo", "build", "digitz").err.splitlines()[1]
    assert hint == f"hint: give a file, or one of {', '.join(packaged_manifests('build'))}"
    assert "hub-" not in hint


@pytest.mark.parametrize(
    ("old", "new", "error", "hint"),
    [
        ("hidden: [8]", "hiden: [8]", "own.yaml line 4: groups.0.architecture.hiden is no key of a manifest",
         "did you mean hidden?"),
        ("hidden: [8]", "hidden: [-8]",
         "own.yaml line 4: groups.0.architecture.hidden.0: input should be greater than or equal to 1, found -8", None),
        ("dataset: digits", "dataset: digitz", "own.yaml line 4: groups.0.dataset: no data set 'digitz'",
         "did you mean digits? `data:` names files of your own"),
        ("architecture: {kind: mlp, hidden: [8]}", "grid: {kind: mlp, hidden: []}",
         "own.yaml line 4: groups.0.grid.hidden: at least one option is expected, found none", None),
    ],
)  # fmt: skip
def test_a_wrong_one_is_told_with_its_line_and_nothing_is_written(run, old, new, error, hint):
    Path("own.yaml").write_text(TEXT.replace(old, new))
    result = run("zoo", "build", "own.yaml", "--dry-run")
    assert result.code == 2
    assert result.err.splitlines() == [f"error: {error}", *([f"hint: {hint}"] if hint else [])]
    assert not Path("zoo").exists()
