"""`inspect` with a network: --module, --config, --timm, config.json alone, and --verify."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from wembed.models.foreign import config_runnable

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(4, 7), nn.Linear(7, 4)

    def forward(self, inputs):
        return inputs + self.down(torch.relu(self.up(inputs)))

def net():
    return Net(), torch.randn(3, 4)

def other():
    return nn.Linear(4, 3), torch.randn(3, 4)
"""
CONFIG = {
    "model_type": "phi", "architectures": ["PhiForCausalLM"], "hidden_size": 32, "intermediate_size": 40,
    "num_attention_heads": 4, "vocab_size": 31, "num_hidden_layers": 2,
}  # fmt: skip


@pytest.fixture
def own(folder):
    """A checkpoint of a residual network and the code that defines it."""
    (folder / "inspected_networks.py").write_text(CODE)
    weights = {"up.weight": torch.randn(7, 4), "up.bias": torch.randn(7)}
    save_file(weights | {"down.weight": torch.randn(4, 7), "down.bias": torch.randn(4)}, "own.safetensors")
    yield "own.safetensors"
    sys.modules.pop("inspected_networks", None)


@pytest.fixture
def hub(folder):
    """Makes a folder as the Hub has them."""

    def make(drop=(), extra=None, **said):
        module = config_runnable(CONFIG).with_random_weights(torch.Generator().manual_seed(0))
        state = {name: value for name, value in module.state_dict().items() if name not in drop}
        (folder / "hub").mkdir()
        save_file(state | (extra or {}), folder / "hub" / "model.safetensors")
        (folder / "hub" / "config.json").write_text(json.dumps(CONFIG | said))
        return "hub"

    return make


def free_groups(result):
    return {row["group"] for row in json.loads(result.out) if row["free"]}


def test_a_module_of_ones_own_gives_traced_symmetries_that_hold(run, own):
    result = run("inspect", own, "--module", "inspected_networks:net", "--verify", "--save", "spec.json", "--json")
    assert result.code == 0
    assert free_groups(result) == {"up.out"}
    assert "note: tier traced" in result.err
    assert "note: ran inspected_networks:net with random weights, 1 atoms permuted, precision float64" in result.err
    assert "rescaled" in result.err
    assert run("inspect", own, "--spec", "spec.json", "--module", "inspected_networks:net", "--verify").code == 0


def test_a_wrong_spec_is_not_proven(run, own):
    run("inspect", own, "--module", "inspected_networks:net", "--save", "spec.json")
    spec = json.loads(Path("spec.json").read_text())
    text = (
        json.dumps(spec)
        .replace('"frozen": "model output"', '"frozen": ""')
        .replace('"frozen": "model input"', '"frozen": ""')
    )
    assert text != json.dumps(spec)
    Path("wrong.json").write_text(text)
    result = run("inspect", own, "--spec", "wrong.json", "--module", "inspected_networks:net", "--verify")
    assert result.code == 1
    assert "error: not proven: permuted changes the outputs by" in result.err


def test_permute_takes_a_module_too(run, own):
    result = run("permute", own, "--module", "inspected_networks:net", "--rescale", "-o", "copy.safetensors", "--json")
    assert result.code == 0
    assert json.loads(result.out)[0]["rescaled"] is True


def test_verify_without_a_network_says_how_to_give_one(run, write):
    write("model.safetensors")
    result = run("inspect", "model.safetensors", "--verify")
    assert result.code == 1
    assert "error: there is no network to run, which --verify does\n" in result.err
    assert "hint: give it with --module package:factory" in result.err


def test_the_file_of_another_network_is_refused(run, own):
    result = run("inspect", own, "--module", "inspected_networks:other")
    assert (result.code, result.out) == (4, "")
    assert "error: own.safetensors: tensor down.bias has shape [4], expected [3]\n" in result.err
    assert "hint: is inspected_networks:other the network of this file?" in result.err


def test_two_networks_are_one_too_many(run, own):
    result = run("inspect", own, "--module", "a:b", "--timm", "resnet18")
    assert result.code == 2
    assert "--module and --timm each say what the network is" in result.err


def test_nothing_to_inspect_is_a_wrong_call(run):
    result = run("inspect")
    assert result.code == 2
    assert "nothing to inspect" in result.err


def test_a_folder_is_traced_by_its_config(run, hub):
    result = run("inspect", hub(), "--verify", "--json")
    assert result.code == 0
    assert "tier traced" in result.err or "tier family" in result.err
    assert "relative error: permuted" in result.err
    assert len(free_groups(result)) == 7


def test_a_config_alone_shows_the_groups(run, folder):
    (folder / "config.json").write_text(json.dumps(CONFIG))
    assert len(free_groups(run("inspect", "config.json", "--json"))) == 7
    result = run("inspect", "config.json", "--graph", "graph.pt")
    assert result.code == 2
    assert "cannot write graph.pt: a graph holds weights" in result.err


def test_a_timm_name_alone_shows_the_groups(run):
    result = run("inspect", "--timm", "resnet18", "--json")
    assert result.code == 0
    assert len(free_groups(result)) == 12


def test_a_config_that_disagrees_with_the_shapes_is_refused_by_tensor(run, hub):
    result = run("inspect", hub(intermediate_size=41))
    assert (result.code, result.out) == (4, "")
    assert "mlp.fc1" in result.err
    assert "40" in result.err and "41" in result.err
    assert result.err.count("\n") == 2


def test_an_unknown_model_type_is_said_and_nothing_is_claimed(run, hub):
    result = run("inspect", hub(model_type="phy"))
    assert result.code == 0
    assert "tier inferred" in result.err
    assert "not traced: config.json has model_type 'phy'" in result.err
    given = run("inspect", "hub", "--config", "hub/config.json")
    assert given.code == 1
    assert "hint: did you mean phi?" in given.err


def test_missing_and_extra_tensors_shrink_the_spec(run, hub):
    missing = "model.layers.0.mlp.fc1.weight"
    result = run("inspect", hub([missing], {"more.weight": torch.randn(3, 4)}), "--config", "hub/config.json", "--json",
                 "--verify")  # fmt: skip
    assert result.code == 0
    groups = {row["group"]: row for row in json.loads(result.out)}
    assert groups["model.layers.0.mlp.fc1.out"]["why"] == f"{missing} is not in the file"
    assert groups["model.layers.1.mlp.fc1.out"]["free"]
    assert not groups["more.weight.0"]["free"]
