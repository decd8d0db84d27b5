from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory
from wembed.merging.aligned import align
from wembed.merging.repair import _between, moments, renewed, repaired, training_loss
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import tensors_of
from wembed.models import CNN, MLP, Architecture, ModelDescription, chain_steps, load_dataset
from wembed.symmetry import declare_spec

DIGITS = load_dataset("digits")
ARCHITECTURES = [
    MLP(hidden=(12, 9), activation="relu"),
    MLP(hidden=(12,), activation="tanh"),
    CNN(hidden=(4, 6), activation="gelu"),
    MLP(hidden=(12, 9), activation="relu", norm="batch"),
]


def network(architecture: Architecture, seed: int):
    description = ModelDescription(architecture=architecture, shape=DIGITS.shape, classes=DIGITS.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
    tensors = {key: value.numpy() for key, value in module.state_dict().items() if value.is_floating_point()}
    spec = declare_spec({key: value.shape for key, value in tensors.items()}, [chain_steps(module)])
    return in_memory(tensors, description.metadata()), spec


@pytest.fixture(params=ARCHITECTURES, ids=lambda architecture: architecture.label)
def pair(request):
    (first, spec), (second, _) = (network(request.param, seed) for seed in range(2))
    return first, align([first, second], spec, np.random.default_rng(0), None)


def test_units_get_the_moments_that_they_are_to_have(pair):
    like, aligned = pair
    ends = [moments(network, aligned.spec, like, DIGITS.train_inputs) for network in aligned.networks]
    average = repaired(aligned.average((0.5, 0.5)), ends[0], aligned.spec, like, DIGITS.train_inputs)
    found = moments(average, aligned.spec, like, DIGITS.train_inputs)
    for name, target in ends[0].items():
        lively = moments(average, aligned.spec, like, DIGITS.train_inputs)[name].deviation > 1e-3
        assert np.allclose(found[name].mean[lively], target.mean[lively], atol=1e-3)
        assert np.allclose(found[name].deviation[lively], target.deviation[lively], rtol=1e-2, atol=1e-3)


def test_averages_are_quieter_than_their_ends_and_repaired_ones_are_not(pair):
    like, aligned = pair
    if any(layer.kind == "batch_norm" for layer in aligned.spec.layers):
        pytest.skip("batch norms do this themselves")
    average = aligned.average((0.5, 0.5))

    def liveliness(tensors) -> float:
        last = list(moments(tensors, aligned.spec, like, DIGITS.train_inputs).values())[-1]
        return float(last.deviation.mean())

    inputs = DIGITS.train_inputs
    sides = [moments(network, aligned.spec, like, inputs) for network in aligned.networks]
    louder = repaired(average, _between(sides, (0.5, 0.5)), aligned.spec, like, inputs)
    ends = np.mean([liveliness(network) for network in aligned.networks])
    assert liveliness(average) < 0.95 * ends
    assert liveliness(louder) == pytest.approx(ends, rel=0.02)


def test_repair_is_kept_only_where_it_lowers_the_training_loss(pair):
    like, aligned = pair
    average = aligned.average((0.5, 0.5))
    losses = [
        training_loss(tensors, like, DIGITS)
        for tensors in (average, with_statistics(average, aligned.spec, like, DIGITS.train_inputs))
    ]
    fresh = renewed(aligned, (0.5, 0.5), average, like, DIGITS)
    assert training_loss(fresh, like, DIGITS) <= losses[1]


def test_an_end_stays_as_it_is(pair):
    like, aligned = pair
    for number, weights in enumerate([(1.0, 0.0), (0.0, 1.0)]):
        fresh = renewed(aligned, weights, aligned.average(weights), like, DIGITS)
        assert all(np.array_equal(fresh[name], values) for name, values in aligned.networks[number].items())


def test_an_average_of_copies_stays_as_it_is(pair):
    like, aligned = pair
    copies = replace(aligned, networks=(aligned.networks[0],) * 2)
    average = copies.average((0.3, 0.7))
    assert renewed(copies, (0.3, 0.7), average, like, DIGITS) is average


def test_copies_with_other_statistics_get_those_of_the_training_inputs():
    like, spec = network(ARCHITECTURES[3], 0)
    one = tensors_of(like, spec)
    shifted = {name: values + name.endswith("running_mean") for name, values in one.items()}
    pair = replace(align([like, like], spec, np.random.default_rng(0)), networks=(one, shifted))
    fresh = renewed(pair, (0.5, 0.5), pair.average((0.5, 0.5)), like, DIGITS)
    expected = with_statistics(one, spec, like, DIGITS.train_inputs)
    assert all(np.allclose(values, expected[name], atol=1e-6) for name, values in fresh.items())


def test_units_behind_a_batch_norm_are_left_to_it():
    like, spec = network(ARCHITECTURES[3], 0)
    assert moments(tensors_of(like, spec), spec, like, DIGITS.train_inputs) == {}
