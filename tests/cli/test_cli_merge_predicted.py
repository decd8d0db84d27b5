"""`wembed merge --weights predicted` on a zoo of trained networks."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo, assign_splits
from wembed.checkpoint import open_checkpoint


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_zoo(tmp_path_factory.mktemp("predicted") / "zoo", (Kind("wine", (8,), 30),)).root


@pytest.fixture
def zoo(made, folder) -> Zoo:
    """A zoo of 30 runs, in the working folder."""
    shutil.copytree(made, folder / "zoo")
    return Zoo.open(Path("zoo"))


def test_networks_count_as_much_as_is_predicted_of_them(run, zoo):
    predicted = json.loads(run("predict", *[row.id for row in zoo.rows()], "--json").out)
    a, b = [row for row in predicted if row["in_domain"]][:2]
    result = run("merge", a["id"], b["id"], "--weights", "predicted", "-o", "m.safetensors")
    assert result.code == 0, result.err
    recipe = yaml.safe_load(open_checkpoint(Path("m.safetensors")).metadata["wembed.recipe"])
    assert [entry["weight"] for entry in recipe["models"]] == pytest.approx([a["value"], b["value"]])


def test_what_predict_warns_of_is_said_before_a_merge_too(run, zoo):
    """Of networks that the predictor was fitted on, of what cannot be read, and of nothing twice."""
    rows, splits = zoo.rows(), assign_splits(zoo.rows(), seed=0)
    train = [row.id for row in rows if splits[row.id] == "train"]
    told = json.loads(run("predict", *train, "--json").out)
    a, b = [row["id"] for row in told if row["in_domain"]][:2]
    broken = next(row for row in reversed(rows) if row.id not in (a, b))
    zoo.path_of(broken).write_bytes(b"broken")
    zoo.append([replace(broken, content="0" * 64)])
    result = run("merge", a, b, "--weights", "predicted", "-o", "m.safetensors")
    assert result.code == 0, result.err
    assert "note: 2 of 2 are among the checkpoints that the predictor was fitted on, no evidence\n" in result.err
    assert result.err.count("warning: 1 checkpoints of the zoo are passed over, first ") == 1


def test_one_network_by_two_names_counts_the_same_twice(run, zoo):
    told = json.loads(run("predict", *[row.id for row in zoo.rows()], "--json").out)
    row = next(zoo_row for zoo_row in zoo.rows() if any(e["id"] == zoo_row.id and e["in_domain"] for e in told))
    names = [row.id, str(zoo.path_of(row))]
    result = run("merge", *names, "--weights", "predicted", "-o", "m.safetensors")
    assert result.code == 0, result.err
    entries = yaml.safe_load(open_checkpoint(Path("m.safetensors")).metadata["wembed.recipe"])["models"]
    assert [entry["model"] for entry in entries] == names
    assert entries[0]["weight"] == entries[1]["weight"]


def test_a_network_of_which_nothing_is_predicted_is_refused(run, zoo, write):
    strange = [write(f"{name}.safetensors", seed) for seed, name in enumerate("xy")]
    result = run("merge", *strange, "--weights", "predicted", "-o", "m.safetensors")
    assert result.code == 1
    assert (
        "error: no accuracy is predicted of 'x.safetensors', it is unlike what the predictor was fitted on"
        in result.err
    )
    assert "hint: give --weights with numbers, or leave them out" in result.err
