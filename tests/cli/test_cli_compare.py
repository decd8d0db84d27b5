"""`compare`: a verdict as an exit code, a note and a table."""

import json

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors


def changed(source, path, change, seed=9):
    """A copy of a network with noise in all weights."""
    generator = np.random.default_rng(seed)
    checkpoint = open_checkpoint(source)
    tensors = {name: checkpoint.read(name) for name in checkpoint.tensors}
    noisy = {name: values + change * generator.normal(size=values.shape) for name, values in tensors.items()}
    write_safetensors(path, {name: ("F32", values.astype(np.float32)) for name, values in noisy.items()}, {})
    return path


@pytest.fixture
def network(write, folder):
    return write(folder / "a.safetensors")


def test_a_permuted_copy_is_the_same_and_exits_with_0(run, network, folder):
    assert run("permute", network, "-o", folder / "copy.safetensors").code == 0
    result = run("compare", network, folder / "copy.safetensors", "--json")
    found = json.loads(result.out)
    assert result.code == 0
    assert list(found) == ["verdict", "p_value", "method", "strangers", "similarity", "layers", "notes"]
    assert (found["verdict"], found["p_value"], found["method"]) == ("same", None, "equal")
    assert list(found["layers"][0]) == ["layer", "kind", "similarity", "identical", "change"]
    assert "note: same: equal up to the order and the scale of the neurons, and to rounding" in result.err


def test_a_changed_copy_is_derived_and_exits_with_10(run, network, folder):
    result = run("compare", network, changed(network, folder / "b.safetensors", 0.1))
    assert result.code == 10
    assert result.out.splitlines()[0].split("\t") == ["layer", "kind", "similarity", "identical", "change"]
    assert "by the order of the neurons, an exact test" in result.err
    assert "note: derived, p = " in result.err
    assert "next: wembed path" in result.err


def test_another_network_is_unrelated_and_exits_with_11(run, network, write):
    result = run("compare", network, write("b.safetensors", 1), "--format", "jsonl")
    assert result.code == 11
    assert json.loads(result.out)["verdict"] == "unrelated"
    assert len(result.out.splitlines()) == 1


@pytest.fixture
def models(run, write, folder):
    """A zoo of eight networks that learned from one data set."""
    for seed in range(8):
        write(f"models/{seed}.safetensors", seed, {"dataset": "digits"})
    assert run("zoo", "add", "models").code == 0
    return folder / "models"


def test_strangers_come_from_the_zoo_and_are_no_copies_of_the_pair(run, network, models):
    found = json.loads(run("compare", network, "1", "--json").out)  # of which both are in the zoo
    assert (found["verdict"], found["method"], found["strangers"]) == ("unrelated", "strangers", 6)


def test_strangers_of_another_data_set_do_not_count(run, write, models):
    pair = [write(f"{seed}.safetensors", seed, {"dataset": "faces"}) for seed in (21, 22)]
    result = run("compare", *pair, "--json")
    assert json.loads(result.out)["strangers"] == 0
    assert "note: 8 networks of their structure do not count as strangers: they are not known to have" in result.err


def test_a_file_that_changed_after_it_was_taken_in_is_no_stranger_to_itself(run, write, models):
    write("models/0.safetensors", 31)
    result = run("compare", "0", "models/1.safetensors", "--json")
    assert json.loads(result.out)["strangers"] == 6
    assert "warning: 0 has changed since it was taken in: take it in again with `wembed zoo add" in result.err


def test_a_stranger_that_is_gone_is_passed_over(run, network, models):
    (models / "7.safetensors").unlink()
    result = run("compare", network, "1", "--json")
    assert (result.code, json.loads(result.out)["strangers"]) == (11, 5)
    assert "warning: 1 strangers are passed over, first" in result.err


def test_a_pair_without_a_common_tensor_is_said(run, network, folder):
    values = {"x.weight": ("F32", np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32))}
    write_safetensors(folder / "other.safetensors", values, {})
    result = run("compare", network, folder / "other.safetensors")
    assert result.code == 11
    assert "note: they have no tensor of one name and shape" in result.err


def test_a_checkpoint_that_is_not_there_is_not_found(run, network):
    result = run("compare", network, "nowhere.safetensors")
    assert (result.code, result.out) == (3, "")
    assert "nowhere.safetensors" in result.err


def test_quiet_says_nothing_but_layers(run, network, write):
    result = run("compare", network, write("b.safetensors", 1), "-q")
    assert (result.code, result.out, result.err) == (11, "0\n2\n4\n", "")
