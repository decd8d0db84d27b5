import json
import os
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from wembed.catalog import CatalogRow
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.cli.lineage_tree import lineage_pairs, lineage_trees
from wembed.errors import WembedError
from wembed.zoo.lineage import Descent, save_lineage

WRITABLE = os.access
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


@pytest.fixture
def family(run, write) -> Path:
    """A zoo of three MLPs and a pruned child of the first, whose parent the catalog names."""
    for seed, name in enumerate("abc"):
        write(f"models/{name}.safetensors", seed)
    checkpoint = open_checkpoint(Path("models/a.safetensors"))
    values = {name: checkpoint.read(name) for name in checkpoint.tensors}
    values = {name: np.where(np.abs(own) < 0.4, 0, own).astype(np.float32) for name, own in values.items()}
    tensors = {name: ("F32", own) for name, own in values.items()}
    write_safetensors(Path("models/child.safetensors"), tensors, {"parent": "a"})
    assert run("zoo", "add", "models").code == 0
    return Path("zoo")


def test_a_child_is_listed_with_its_parent_and_the_evidence(run, family):
    rows = {row["id"]: row for row in json.loads(run("zoo", "lineage", "--json").out)}
    child = rows["child"]
    assert (child["parent"], child["derivation"], child["direction"]) == ("a", "pruned", "zeros added")
    assert child["catalog_parent"] == "a"
    assert child["probability"] > 0.9
    assert child["p_value"] < 0.01
    assert [rows[name]["parent"] for name in "abc"] == [None] * 3


def test_the_catalogs_parents_are_compared(run, family):
    result = run("zoo", "lineage")
    assert "note: 1 of 4 have a likely parent, of 0 more which kin is the parent cannot be told\n" in result.err
    found = "1 of them found (recall 1.000), 0 more are the next of kin"
    assert f"note: the catalog names the parents of 1: {found}\n" in result.err
    assert "note: 1 of 1 likely parents that the catalog can judge are right (precision 1.000)\n" in result.err


def test_layers_stand_beside_those_of_the_parent(run, family):
    result = run("zoo", "lineage", "--layers", "child", "--json")
    rows = json.loads(result.out)
    assert {row["layer"] for row in rows} == {"0", "2", "4"}
    assert {(row["id"], row["beside"]) for row in rows} == {("child", "a")}


def test_an_unknown_id_has_no_layers(run, family):
    result = run("zoo", "lineage", "--layers", "nobody")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: nobody: no such file, and no such id in the zoo at zoo\n")


@pytest.mark.parametrize("name", ["tree.dot", "tree.graphml", "tree.json"])
def test_a_file_holds_the_edge_from_parent_to_child(run, family, name):
    assert run("zoo", "lineage", "-o", name, "-q").code == 0
    text = Path(name).read_text(encoding="utf-8")
    if name.endswith(".dot"):
        assert '  "a" -> "child" [label="pruned"];\n' in text
    elif name.endswith(".json"):
        (edge,) = json.loads(text)["edges"]
        assert (edge["parent"], edge["child"]) == ("a", "child")
    else:
        (found,) = xml.etree.ElementTree.fromstring(text).iter(f"{GRAPHML}edge")
        assert (found.get("source"), found.get("target")) == ("a", "child")


def test_a_file_in_a_folder_that_is_not_there_is_refused_before_any_work(run, family):
    result = run("zoo", "lineage", "-o", "nowhere/tree.dot")
    assert (result.code, result.out) == (3, "")
    assert result.err == "error: cannot write nowhere/tree.dot: there is no folder nowhere\nhint: make it first\n"
    assert not [*(family / "embeddings").iterdir()]


def test_a_file_of_another_kind_is_refused_before_any_work(run, family):
    result = run("zoo", "lineage", "-o", "tree.png")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: tree.png is no family tree, found '.png'\nhint: end it in .dot, .graphml, .json\n"


@pytest.mark.parametrize(
    ("out", "code", "message"),
    [
        ("tree.dot", 2, "error: cannot write tree.dot: it is a folder\nhint: give -o the name of a file\n"),
        ("closed/tree.dot", 1, "error: cannot write closed/tree.dot: no permission to write to closed\n"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(run, family, monkeypatch, out, code, message):
    for name in ("tree.dot", "closed"):
        Path(name).mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: "closed" not in str(path) and WRITABLE(path, mode))
    result = run("zoo", "lineage", "-o", out)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(message)
    assert not [*(family / "embeddings").iterdir()]


def test_a_file_that_cannot_be_written_to_the_end_stays_as_it_was(folder, monkeypatch):
    def full(path, text, **_):
        path.touch()
        raise OSError(28, "No space left on device")

    Path("tree.dot").write_bytes(b"as it was")
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(WembedError, match=r"cannot write tree\.dot: no space left on device"):
        save_lineage([], Path("tree.dot"))
    assert [path.read_bytes() for path in folder.glob("*tree.dot*")] == [b"as it was"]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".dot", '  "a" -> "b" [dir=none style=dashed];\n'),
        (".graphml", '<data key="d0">kin</data>'),
        (".json", '"kin": [\n    [\n      "a",\n      "b"\n    ]\n  ]'),
    ],
)
def test_next_of_kin_are_joined_once(tmp_path, suffix, text):
    one, other = CatalogRow("a", "a"), CatalogRow("b", "b")
    path = tmp_path / f"tree{suffix}"
    save_lineage([Descent(one, kin=other), Descent(other, kin=one)], path)
    assert path.read_text(encoding="utf-8").count(text) == 1


@pytest.mark.parametrize("suffix", [".dot", ".graphml", ".json"])
def test_ids_with_quotes_and_control_characters_do_not_break_a_file(tmp_path, suffix):
    parent, child = CatalogRow('a"\\\x1b[31m', "a"), CatalogRow("b\n<&>", "b")
    path = tmp_path / f"tree{suffix}"
    save_lineage([Descent(parent), Descent(child, parent, derivation="pruned")], path)
    text = path.read_text(encoding="utf-8")
    assert "\x1b" not in text
    if suffix == ".graphml":
        assert len(list(xml.etree.ElementTree.fromstring(text).iter(f"{GRAPHML}node"))) == 2


def test_a_tree_shows_children_under_their_parent(capsys):
    parent = CatalogRow("parent", "p")
    child = CatalogRow("child", "c")
    descents = [Descent(parent), Descent(child, parent, derivation="pruned", change=0.25, probability=0.9)]
    descents.append(Descent(CatalogRow("alone", "x")))
    for tree in lineage_trees(descents):
        Console(width=100).print(tree)
    assert capsys.readouterr().out == "parent\n└── child  pruned, change 0.25, probability 0.90\n"


def test_a_tree_of_many_children_is_cut(capsys):
    parent = CatalogRow("parent", "p")
    children = [Descent(CatalogRow(f"child{number}", "c"), parent, derivation="noise") for number in range(30)]
    (tree,) = lineage_trees([Descent(parent), *children])
    Console(width=100).print(tree)
    assert "... and 18 more" in capsys.readouterr().out


def test_next_of_kin_are_shown_as_pairs_with_what_they_share():
    one, other = CatalogRow("one", "1"), CatalogRow("other", "2")
    descents = [
        Descent(one, kin=other, change=0.05, identical=8, compared=16),
        Descent(other, kin=one, change=0.05, identical=8, compared=16),
        Descent(CatalogRow("alone", "3")),
    ]
    (pair,) = lineage_pairs(descents)
    assert pair.plain == "one -- other  next of kin, 8 of 16 weights the same, change 0.05"
