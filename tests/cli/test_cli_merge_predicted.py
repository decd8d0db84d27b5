"""`wembed merge --weights predicted` on a zoo of trained networks."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo
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


def test_a_network_of_which_nothing_is_predicted_is_refused(run, zoo, write):
    strange = [write(f"{name}.safetensors", seed) for seed, name in enumerate("xy")]
    result = run("merge", *strange, "--weights", "predicted", "-o", "m.safetensors")
    assert result.code == 1
    assert (
        "error: no accuracy is predicted of 'x.safetensors', it is unlike what the predictor was fitted on"
        in result.err
    )
    assert "hint: give --weights with numbers, or leave them out" in result.err
