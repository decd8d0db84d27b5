"""`wembed path`: a table, the barriers, and a figure."""

import json
import os
from pathlib import Path

import pytest
import torch

from wembed.checkpoint import write_safetensors
from wembed.cli.path_shown import bars
from wembed.models import MLP, ModelDescription, chain_steps
from wembed.symmetry import declare_spec, spec_metadata

COLUMNS = ["t", "naive_accuracy", "aligned_accuracy", "naive_loss", "aligned_loss"]


@pytest.fixture
def pair(folder):
    """Two networks for the wine data, as files."""
    description = ModelDescription(architecture=MLP(hidden=(6,)), shape=(13,), classes=3)
    for seed, name in enumerate("ab"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = description.build()
        state = {key: value.numpy() for key, value in module.state_dict().items()}
        spec = declare_spec({key: value.shape for key, value in state.items()}, [chain_steps(module)])
        told = spec_metadata(spec) | description.metadata() | {"dataset": "wine"}
        write_safetensors(Path(f"{name}.safetensors"), {key: ("F32", value) for key, value in state.items()}, told)
    return "a.safetensors", "b.safetensors"


def test_path_gives_a_row_for_each_point(run, pair):
    result = run("path", *pair, "--points", 5, "--json")
    assert result.code == 0
    rows = json.loads(result.out)
    assert [list(row) for row in rows] == [COLUMNS] * 5
    assert [row["t"] for row in rows] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_path_tells_the_barriers_and_what_comes_next(run, pair):
    err = run("path", *pair, "--points", 3).err
    assert "note: loss barrier on wine: naive " in err
    assert "accuracy from" not in err
    assert err.endswith("next: wembed merge a.safetensors b.safetensors -o merged.safetensors\n")


def test_a_table_for_people_has_bars_beside_it(run, pair):
    result = run("path", *pair, "--points", 3, "--format", "table")
    (line,) = [line for line in result.err.splitlines() if "accuracy from" in line]
    assert set(line.split("naive ")[1].split(",")[0]) <= set("▁▂▃▄▅▆▇█")


def test_path_without_alignment_shows_the_files_twice(run, pair):
    rows = json.loads(run("path", *pair, "--points", 3, "--align", "none", "--json").out)
    assert all(row["naive_loss"] == row["aligned_loss"] for row in rows)


def test_path_matches_from_where_an_encoder_sees_neurons(run, pair):
    assert len(json.loads(run("path", *pair, "--points", 3, "--align", "embedding", "--json").out)) == 3


def test_a_plot_is_a_png(run, pair):
    result = run("path", *pair, "--points", 3, "--plot", "path.png")
    assert result.code == 0
    assert "note: wrote path.png" in result.err
    assert Path("path.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("path.svg", 2, "--plot path.svg: expected a name that ends in .png"),
        ("old.png", 2, "old.png exists already, and nothing is written over it"),
        ("none/path.png", 3, "cannot write none/path.png: there is no folder none"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_before_the_work(run, place, code, message):
    Path("old.png").write_bytes(b"kept")
    result = run("path", "a.safetensors", "b.safetensors", "--plot", place)
    assert result.code == code
    assert message in result.err
    assert Path("old.png").read_bytes() == b"kept"


def test_a_plot_in_a_folder_that_nobody_may_write_to_is_refused_before_the_work(run, folder, monkeypatch):
    (folder / "closed").mkdir()
    writable = os.access
    monkeypatch.setattr("os.access", lambda path, mode: "closed" not in str(path) and writable(path, mode))
    result = run("path", "a.safetensors", "b.safetensors", "--plot", "closed/path.png")
    assert result.code == 1
    refused = (
        "error: cannot write closed/path.png: no permission to write to closed\nhint: give --plot another folder\n"
    )
    assert result.err.startswith(refused)


def test_a_plot_on_a_full_disk_is_a_line(run, pair, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wembed.report.figures.path.save_path", full)
    result = run("path", *pair, "--points", 3, "--plot", "path.png")
    assert result.code == 1
    assert "path.png can't be written: No space left on device" in result.err


def test_an_encoder_that_nothing_asks_for_is_refused(run, pair):
    result = run("path", *pair, "--encoder", "gnn")
    assert result.code == 2
    assert "--encoder is of --align embedding, found --align weights" in result.err


def test_files_of_no_data_set_ask_for_one(run, write):
    result = run("path", write("a.safetensors"), write("b.safetensors", 1))
    assert result.code == 2
    assert "the files do not name one data set to run them on" in result.err


@pytest.mark.parametrize(
    ("values", "shown"), [([0.0, 0.5, 1.0], "▁▅█"), ([0.3, 0.3], "▁▁"), ([k / 200 for k in range(201)], 60)]
)
def test_bars_go_from_the_least_to_the_most(values, shown):
    found = bars(values, min(values), max(values))
    assert found == shown or len(found) == shown
