from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory
from wembed.encoder import load_encoder
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging import MergeOptions, merge, merge_by_embedding, score_controls
from wembed.merging.embedding import _Held, learned_part
from wembed.merging.tensors import as_checkpoint
from wembed.models import CNN, MLP

ARCHITECTURES = [
    MLP(hidden=(32, 32)),
    MLP(hidden=(24,), activation="tanh"),
    MLP(hidden=(24, 16), norm="batch"),
    CNN(hidden=(6,), norm="batch"),
]


@pytest.fixture(scope="module")
def gnn():
    return load_encoder("gnn")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_the_differentiable_way_gives_the_encoders_own_embedding(trained, gnn, architecture):
    checkpoint, spec = trained(architecture, 0)
    held = _Held.of(checkpoint, spec)
    weights = {name: torch.from_numpy(checkpoint.read(name)).requires_grad_() for name in held.views}
    seen = gnn.module(held.batch_of(weights))
    expected = gnn.embed([(checkpoint, spec)])
    torch.testing.assert_close(torch.nn.functional.normalize(seen).detach().numpy(), expected, rtol=0, atol=1e-4)
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(seen.sum(), list(weights.values())))


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_the_merge_is_nearer_to_the_interpolated_embedding(trained, gnn, architecture):
    items = [trained(architecture, 0), trained(architecture, 1)]
    average, moved = merge(items, MergeOptions()), merge_by_embedding(items, MergeOptions(), gnn)
    target = learned_part(gnn, items).sum(0)
    near, far = (
        learned_part(gnn, [(as_checkpoint(merged.common, items[0][0]), items[0][1])])[0] @ target
        for merged in (moved, average)
    )
    assert near > far
    for name, values in average.common.items():
        step = np.linalg.norm(moved.common[name] - values) / np.linalg.norm(values)
        assert step < 0.2


def test_the_step_is_scored_beside_noise_of_its_length(trained, digits, gnn):
    items = [trained(ARCHITECTURES[0], 0), trained(ARCHITECTURES[0], 1)]
    found = score_controls(items, merge_by_embedding(items, MergeOptions(), gnn), digits)
    assert found.noised_average is not None
    assert found.aligned != found.merged


def test_the_encoder_is_not_trained(trained, gnn):
    before = {name: value.clone() for name, value in gnn.module.state_dict().items()}
    merge_by_embedding([trained(ARCHITECTURES[1], 0), trained(ARCHITECTURES[1], 1)], MergeOptions(), gnn)
    assert all(torch.equal(value, before[name]) for name, value in gnn.module.state_dict().items())
    assert all(parameter.grad is None for parameter in gnn.module.parameters())


def test_an_encoder_without_gradients_is_refused(trained):
    items = [trained(ARCHITECTURES[1], 0), trained(ARCHITECTURES[1], 1)]
    with pytest.raises(UsageError, match="merging by embedding takes a gnn encoder, found fingerprint"):
        merge_by_embedding(items, MergeOptions(), load_encoder("fingerprint"))


def test_weights_that_lie_otherwise_are_refused(trained, gnn):
    checkpoint, spec = trained(ARCHITECTURES[1], 0)
    tensors = {name: checkpoint.read(name) for name in spec.tensors}
    tensors["0.weight"] = np.ascontiguousarray(tensors["0.weight"].T)
    axes = {**spec.tensors, "0.weight": spec.tensors["0.weight"][::-1]}
    first, *rest = spec.layers
    turned = replace(spec, tensors=axes, layers=(replace(first, layout=("source", "target")), *rest))
    item = (in_memory(tensors, checkpoint.metadata), turned)
    with pytest.raises(CheckpointRefusedError, match=r"0\.weight is no matrix or convolution with its targets first"):
        merge_by_embedding([item, item], MergeOptions(), gnn)
