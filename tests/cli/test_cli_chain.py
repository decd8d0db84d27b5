"""`inspect --chain`: a person says the order of a plain network."""

import json

import numpy as np
import pytest

from wembed.checkpoint import write_safetensors


@pytest.fixture
def network(folder):
    """A convolution, a flatten of 2 x 2 pixels, two linear layers."""
    generator = np.random.default_rng(0)
    shapes = {"0.weight": (4, 1, 3, 3), "0.bias": (4,), "3.weight": (5, 16), "3.bias": (5,), "5.weight": (2, 5)}
    values = {name: ("F32", generator.normal(size=shape).astype(np.float32)) for name, shape in shapes.items()}
    write_safetensors(folder / "network.safetensors", values, {})
    return folder / "network.safetensors"


def test_a_declared_chain_is_free_through_the_flatten_and_may_be_rescaled(run, network, folder):
    result = run("inspect", network, "--chain", "0 relu flatten 3 relu 5", "--save", folder / "spec.json", "--json")
    groups = {row["group"]: row for row in json.loads(result.out)}
    assert groups["0.out x 3.pixels"]["free"]
    assert groups["0.out"]["scale"] == groups["3.out"]["scale"] == "positive"
    assert not groups["5.out"]["free"]
    copied = run("permute", network, "--spec", folder / "spec.json", "--rescale", "-o", folder / "copy.safetensors")
    assert copied.code == 0


@pytest.mark.parametrize(
    ("chain", "error", "hint"),
    [
        ("0 relu 3", "3 reads 16 channels, what stands before it in the chain has 4", "put `flatten` where"),
        ("0 rlu flatten 3", "step 'rlu' is no module of this checkpoint and no activation", "activations: relu"),
        ("relu", "the chain 'relu' names no dense layer", "modules: 0, 3, 5"),
    ],
)
def test_a_chain_that_does_not_fit_is_a_wrong_call(run, network, chain, error, hint):
    result = run("inspect", network, "--chain", chain)
    assert (result.code, result.out) == (2, "")
    assert error in result.err
    assert hint in result.err


def test_chain_and_spec_together_are_refused(run, network, folder):
    run("inspect", network, "--save", folder / "spec.json")
    result = run("inspect", network, "--chain", "3 relu 5", "--spec", folder / "spec.json")
    assert result.code == 2
    assert "--chain and --spec both say what the symmetries are" in result.err


def test_embed_and_search_take_a_spec_file(run, network, folder):
    run("inspect", network, "--chain", "0 relu flatten 3 relu 5", "--save", folder / "spec.json")
    run("zoo", "add", network, "--spec", folder / "spec.json")
    found = json.loads(run("search", network, "--spec", folder / "spec.json", "--json").out)
    assert found[0]["score"] > 0.9999
    assert run("embed", network, "--spec", folder / "spec.json", "-o", folder / "vectors.npz").code == 0
    result = run("embed", "--spec", folder / "spec.json")
    assert result.code == 2
    assert "--spec goes with given checkpoints" in result.err


def test_known_activations_without_scales_are_permuted_and_said(run, write):
    write("model.safetensors")
    assert run("inspect", "model.safetensors", "--chain", "0 gelu 2 gelu 4", "--save", "spec.json").code == 0
    copied = run("permute", "model.safetensors", "--spec", "spec.json", "--rescale", "-o", "copy.safetensors", "--json")
    assert copied.code == 0
    assert json.loads(copied.out)[0]["rescaled"] is False
    assert "no neuron rescaled, the activations let no scale through" in copied.err
