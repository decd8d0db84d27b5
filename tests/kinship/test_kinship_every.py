"""Shuffled copies of every architecture that the builder knows, heads and gates and all, are the same network."""

import numpy as np
import pytest
import torch
from every_architecture import EVERY, described, label_of

from wembed.checkpoint import in_memory, open_checkpoint
from wembed.kinship import compare
from wembed.models import stored_tensors
from wembed.symmetry import permute
from wembed.zoo.builder.specs import network_spec


def network(architecture, seed):
    description = described(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, value in stored_tensors(module).items():
        values = value.detach().numpy()
        if values.dtype.kind == "f" and values.std() == 0:  # gains and biases as if trained
            values = (values + 0.3 * np.abs(generator.normal(size=values.shape))).astype(np.float32)
        tensors[name] = values
    return in_memory(tensors, description.metadata()), network_spec(description)


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_a_shuffled_and_rescaled_copy_is_the_same(architecture, tmp_path):
    checkpoint, spec = network(architecture, 0)
    path = tmp_path / "copy.safetensors"
    permute(checkpoint, spec, path, np.random.default_rng(1), rescale=spec.has_scales)
    found = compare((checkpoint, spec), (open_checkpoint(path), spec), (), np.random.default_rng(0))
    assert (found.verdict, [layer.layer for layer in found.layers if not layer.identical]) == ("same", [])


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_networks_of_other_initial_weights_are_unrelated(architecture):
    found = compare(network(architecture, 0), network(architecture, 1), (), np.random.default_rng(0))
    assert found.verdict == "unrelated"
