"""`wembed permute --continuous`: a file in, a copy that a member of the whole symmetry group was applied to out."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_networks import NETWORKS

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.symmetry import save_spec


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A network with heads and its spec, as files in an empty folder."""
    monkeypatch.chdir(tmp_path)
    net = NETWORKS["attention"](61)
    write_safetensors(
        tmp_path / "net.safetensors", {key: ("F32", encode(array, "F32")) for key, array in net.arrays.items()}, {}
    )
    save_spec(net.spec, tmp_path / "spec.json")
    return net


def _arrays(path: str) -> dict:
    checkpoint = open_checkpoint(Path(path))
    return {name: checkpoint.read(name).astype(np.float64) for name in checkpoint.tensors}


def test_continuous_copy_computes_the_same_with_other_weights(run, files):
    done = run("permute", "net.safetensors", "-o", "c.safetensors", "--spec", "spec.json", "--continuous", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)[0]["rescaled"] is True
    before, after = _arrays("net.safetensors"), _arrays("c.safetensors")
    np.testing.assert_allclose(files.forward(after), files.forward(before), rtol=1e-4, atol=1e-5)
    assert all(not np.allclose(np.sort(before[key].ravel()), np.sort(after[key].ravel())) for key in before)


def test_continuous_copy_needs_known_activations(run, files):
    refused = run("permute", "net.safetensors", "-o", "c.safetensors", "--continuous")
    assert refused.code != 0
    assert refused.out == ""
    assert "nothing in it may be" in refused.err
