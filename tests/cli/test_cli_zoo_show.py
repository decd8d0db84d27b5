import json

import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.cli.text import plain


@pytest.fixture
def family(folder) -> Zoo:
    """A run of two snapshots with children, one of them merged, and a twin from the same weights."""
    zoo = Zoo.create(folder / "zoo")
    noise = {"derivation": "noise", "change": 0.0123, "parent": "r-step9"}
    zoo.append(
        [
            CatalogRow(id="r-step1", path="1.pt", run="r", step=1, init_id="w", accuracy=0.1),
            CatalogRow(id="r-step9", path="9.pt", run="r", step=9, init_id="w", accuracy=0.9),
            CatalogRow(id="t-step9", path="t.pt", run="t", step=9, init_id="w", status="diverged at step 3"),
            CatalogRow(id="r-noise0", path="n.pt", run="r-noise0", **noise),
            CatalogRow(id="r-merged0", path="m.pt", parent="r-step9", other_parent="r-noise0", derivation="merged"),
            CatalogRow(id="stranger", path="s.pt"),
        ]
    )
    return zoo


def test_a_terminal_shows_the_tree(run, family, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    shown = run("zoo", "show", "r-noise0", "--format", "table").out
    assert shown.splitlines()[-7:] == [
        "initial weights w",
        "├── run r",
        "│   ├── r-step1  step 1, accuracy 0.100",
        "│   └── r-step9  step 9, accuracy 0.900",
        "│       ├── r-noise0  noise, change 0.0123  <- this one",
        "│       └── r-merged0  merged, with r-noise0",
        "└── t-step9  step 9, diverged at step 3",
    ]
    assert "this one" not in run("zoo", "show", "stranger", "--format", "table").out


def test_pipes_get_the_columns_alone(run, family):
    lines = run("zoo", "show", "r-step9").out.splitlines()
    assert lines[0] == "column\tvalue"
    assert lines[-1] == "children\tr-noise0,r-merged0"
    assert all(line.count("\t") == 1 for line in lines)


def test_json_has_the_whole_family_parents_first(run, family):
    (shown,) = json.loads(run("zoo", "show", "r-noise0", "--json").out)
    assert [one["id"] for one in shown["family"]] == ["r-step1", "r-step9", "r-noise0", "r-merged0", "t-step9"]
    assert shown["family"][3]["other_parent"] == "r-noise0"


def test_of_a_large_family_as_much_is_shown_as_fits(run, family, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    family.append(
        [
            CatalogRow(
                id=f"k{number}-{side}", path=f"k{number}{side}", parent="r-step9" if not side else f"k{number}-0"
            )
            for number in range(200)
            for side in range(2)
        ]
    )
    shown = run("zoo", "show", "k150-1", "--format", "table").out
    tree = shown[shown.index("initial weights w") :].splitlines()
    assert len(tree) <= 40
    assert sum("<- this one" in line for line in tree) == 1
    hidden = [int(line.split("and ")[1].split()[0]) for line in tree if "... and" in line]
    listed = sum(" k" in line or "r-" in line or "t-" in line for line in tree)
    assert sum(hidden) + listed == 405


def test_what_a_file_says_is_shown_and_not_obeyed(run, family, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    name = "[red]\x1b[31mx"
    family.append([CatalogRow(id=name, path="x.pt", derivation="[b]no\nise")])
    family.append([CatalogRow(id="kid", path="k.pt", parent=name)])
    shown = run("zoo", "show", name, "--format", "table").out
    assert shown.splitlines()[-2] == f"{plain(name)}  [b]no\\nise  <- this one"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_terminal_can_print_it(family, spawn, encoding, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    process = spawn("zoo", "show", "r-noise0", "--format", "table", text=True, encoding=encoding)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert "r-noise0" in out
