from pathlib import Path

import numpy as np
import pytest
import torch

from wembed.checkpoint import write_safetensors
from wembed.cli.datasets import open_dataset
from wembed.errors import UsageError
from wembed.models import MLP, ModelDescription, chain_steps
from wembed.symmetry import declare_spec, spec_metadata


@pytest.fixture
def pair(folder):
    """Two networks for a table of four columns and three classes, and that table."""
    description = ModelDescription(architecture=MLP(hidden=(5,)), shape=(4,), classes=3)
    for seed, name in enumerate(("a.safetensors", "b.safetensors")):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = description.build()
        state = {k: v.numpy() for k, v in module.state_dict().items()}
        spec = declare_spec({k: v.shape for k, v in state.items()}, [chain_steps(module)])
        metadata = spec_metadata(spec) | description.metadata() | {"dataset": "own=own.npz"}
        write_safetensors(Path(name), {k: ("F32", v) for k, v in state.items()}, metadata)
    np.savez("own.npz", x=np.random.default_rng(0).normal(size=(90, 4)), y=np.arange(90) % 3)
    return "a.safetensors", "b.safetensors"


@pytest.mark.parametrize("command", [("merge", "-o", "merged.safetensors"), ("path", "--points", "3")])
def test_data_may_be_a_file_of_ones_own(run, pair, command):
    result = run(command[0], *pair, *command[1:], "--data", "own=own.npz", "--json")
    assert result.code == 0, result.err
    assert "accuracy" in result.out


def test_a_path_says_the_name_of_the_data(run, pair):
    assert "loss barrier on own: naive" in run("path", *pair, "--data", "own=own.npz").err


def test_a_checkpoint_does_not_choose_files_to_read(run, pair):
    result = run("path", *pair)
    assert (result.code, "no data set 'own=own.npz'" in result.err) == (3, True), result.err


def test_a_missing_file_is_not_found(run, pair):
    result = run("path", *pair, "--data", "own=none.npz")
    assert (result.code, "none.npz: no such file of data" in result.err) == (3, True), result.err


@pytest.mark.parametrize("text", ["=", "=x.npz", "own="])
def test_half_a_name_is_refused(text):
    with pytest.raises(UsageError) as refused:
        open_dataset(text)
    assert refused.value.message == f"--data {text}: expected NAME or NAME=PATH"
