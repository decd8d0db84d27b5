from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory
from wembed.encoder import load_encoder
from wembed.encoder.gnn import Gnn
from wembed.encoder.readout import GnnConfig
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging import MergeOptions, merge, merge_by_embedding, score_controls
from wembed.merging.controls import undirected
from wembed.merging.embedding import merge_each_by_embedding
from wembed.merging.embedding.goals import Goal
from wembed.merging.embedding.seen import Seen
from wembed.merging.ensemble import ensemble_scores
from wembed.merging.tensors import as_checkpoint
from wembed.models import CNN, MLP, load_module, score

ARCHITECTURES = [
    MLP(hidden=(12, 12)),
    MLP(hidden=(12,), activation="tanh"),
    MLP(hidden=(10, 8), norm="batch"),
    CNN(hidden=(4,), norm="batch"),
]


@pytest.fixture(scope="module")
def gnn():
    return load_encoder("gnn")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_the_differentiable_way_gives_the_encoders_own_embedding(trained, gnn, architecture):
    checkpoint, spec = trained(architecture, 0)
    now = Seen.of([checkpoint], spec)
    names = [layer.weight for layer in now.layers] + [layer.bias for layer in now.layers if layer.bias]
    tensors = {name: torch.from_numpy(checkpoint.read(name)[None]).requires_grad_() for name in names}
    seen = gnn.module(now.at(tensors))
    expected = gnn.embed([(checkpoint, spec)])
    torch.testing.assert_close(torch.nn.functional.normalize(seen).detach().numpy(), expected, rtol=0, atol=1e-4)
    gradients = torch.autograd.grad(seen.sum(), [tensors[layer.weight] for layer in now.layers])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def miss(encoder, items, merged, maximise=None) -> float:
    """How far a network is from what a merge of others should look like."""
    goal = Goal.between([items], merged.weights, encoder, maximise)
    now = Seen.of([as_checkpoint(merged.common, items[0][0])], merged.aligned.spec)
    with torch.no_grad():
        return goal.miss(now.batch).item()


@pytest.mark.parametrize(
    ("architecture", "maximise"),
    [*((architecture, None) for architecture in ARCHITECTURES), (ARCHITECTURES[1], "accuracy")],
)
def test_the_merge_looks_more_like_what_is_between_its_endpoints(trained, gnn, architecture, maximise):
    items = [trained(architecture, 0), trained(architecture, 1)]
    average = merge(items, MergeOptions())
    moved = merge_by_embedding(items, MergeOptions(), gnn, maximise)
    assert miss(gnn, items, moved, maximise) < miss(gnn, items, average, maximise)


def test_no_tensor_goes_farther_than_its_region(trained, gnn):
    items = [trained(ARCHITECTURES[0], 0), trained(ARCHITECTURES[0], 1)]
    average, moved = merge(items, MergeOptions()), merge_by_embedding(items, MergeOptions(), gnn, "accuracy")
    first, second = moved.aligned.networks
    for name, values in average.common.items():
        step, way = (np.linalg.norm(x) for x in (moved.common[name] - values, second[name] - first[name]))
        assert step <= 0.6 * way + 1e-6  # half of it between the endpoints, a tenth beside that


def test_pairs_that_move_together_end_where_each_does_alone(trained, gnn):
    first, second, third = (trained(ARCHITECTURES[1], seed) for seed in range(3))
    pairs = [[first, second], [second, third]]
    together = merge_each_by_embedding(pairs, MergeOptions(), gnn)
    for pair, found in zip(pairs, together, strict=True):
        alone = merge_by_embedding(pair, MergeOptions(), gnn)
        for name, values in alone.common.items():
            np.testing.assert_allclose(found.common[name], values, rtol=0, atol=2e-3 * np.abs(values).max())


def test_three_networks_are_merged_by_embedding(trained, gnn):
    items = [trained(ARCHITECTURES[1], seed) for seed in range(3)]
    average, moved = merge(items, MergeOptions()), merge_by_embedding(items, MergeOptions(), gnn)
    assert miss(gnn, items, moved) < miss(gnn, items, average)


def test_all_of_an_endpoint_is_that_endpoint(trained, gnn):
    items = [trained(ARCHITECTURES[1], 0), trained(ARCHITECTURES[1], 1)]
    found = merge_by_embedding(items, MergeOptions(t=0.0), gnn)
    for name, values in found.tensors.items():
        np.testing.assert_allclose(values, items[0][0].read(name), rtol=1e-5, atol=1e-6)


def test_with_data_the_merge_loses_no_more_than_the_average(trained, digits, gnn):
    items = [trained(ARCHITECTURES[1], 0), trained(ARCHITECTURES[1], 1)]
    options = MergeOptions(dataset=digits)
    losses = [
        score(load_module(as_checkpoint(merged.common, items[0][0])), digits.train_inputs, digits.train_labels).loss
        for merged in (merge_by_embedding(items, options, gnn), merge(items, options))
    ]
    assert losses[0] <= losses[1]


def test_an_encoder_without_probes_leaves_the_embedding_no_farther(trained):
    items = [trained(ARCHITECTURES[1], 0), trained(ARCHITECTURES[1], 1)]
    encoder = Gnn(GnnConfig(probes=0))
    average, moved = merge(items, MergeOptions()), merge_by_embedding(items, MergeOptions(), encoder)
    assert miss(encoder, items, moved) <= miss(encoder, items, average)


def test_the_ensemble_says_the_mean_of_what_its_members_say(trained, digits):
    members = [trained(ARCHITECTURES[0], seed)[0] for seed in (0, 1)]
    said = sum(load_module(member)(digits.test_inputs).softmax(-1) for member in members)
    right = (said.argmax(1) == digits.test_labels).float().mean().item()
    assert ensemble_scores(members, digits).accuracy == pytest.approx(right)


def test_the_step_is_scored_beside_noise_of_its_length(trained, digits, gnn):
    items = [trained(ARCHITECTURES[0], 0), trained(ARCHITECTURES[0], 1)]
    found = score_controls(items, merge_by_embedding(items, MergeOptions(), gnn), digits)
    assert found.noised_average is not None
    assert found.aligned != found.merged


@pytest.mark.parametrize("with_data", [False, True])
def test_noise_starts_where_the_search_does_and_gets_what_it_gets(trained, digits, gnn, with_data):
    items = [trained(ARCHITECTURES[0], 0), trained(ARCHITECTURES[0], 1)]
    options = MergeOptions(dataset=digits if with_data else None)
    average, moved = merge(items, options), merge_by_embedding(items, options, gnn)
    noise = undirected(moved, np.random.default_rng(0))
    for name, start in average.common.items():
        np.testing.assert_array_equal(noise.average.common[name], start)
        lengths = [np.linalg.norm(each.end[name] - start) for each in (moved, noise)]
        assert lengths[1] == pytest.approx(lengths[0])
    tried = [
        score(load_module(as_checkpoint(each.common, items[0][0])), digits.train_inputs, digits.train_labels).loss
        for each in (noise, average)
    ]
    assert not with_data or tried[0] <= tried[1]  # data would rather have the average than noise that loses more


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
