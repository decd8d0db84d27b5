"""With data: maps are learned on training inputs, and the network that moves still computes the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers_at_random import Network

from wembed.merging.continuous import learned, nearer, nearer_with_data
from wembed.merging.tensors import acted, as_checkpoint, weighted_sum
from wembed.models import (
    Dataset,
    ModelDescription,
    ViT,
    cross_entropy,
    load_dataset,
    load_module,
    score,
    stored_tensors,
)
from wembed.symmetry import random_continuous_action
from wembed.zoo.builder.specs import network_spec


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def pair(digits) -> list[Network]:
    return [trained(digits, seed) for seed in (1, 2)]


def trained(digits: Dataset, seed: int) -> Network:
    """A small vision transformer, trained for a moment."""
    description = ModelDescription(
        architecture=ViT(patch=4, width=16, layers=1), shape=digits.shape, classes=digits.classes
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
        optimizer = torch.optim.Adam(module.parameters(), 3e-3)
        for _ in range(200):
            rows = torch.randint(len(digits.train_labels), (32,))
            optimizer.zero_grad()
            cross_entropy(module(digits.train_inputs[rows]), digits.train_labels[rows]).backward()
            optimizer.step()
    tensors = {name: value.numpy(force=True).astype(np.float64) for name, value in stored_tensors(module).items()}
    return Network(description, network_spec(description), tensors)


def loss_between(first: Network, moved, digits: Dataset) -> float:
    middle = as_checkpoint(weighted_sum([first.tensors, moved], [0.5, 0.5]), first.like)
    return score(load_module(middle), digits.train_inputs, digits.train_labels).loss


def test_what_learned_computes_what_it_computed(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_STEPS", 20)
    first, second = pair
    moved = nearer_with_data(first.tensors, second.tensors, first.spec, digits, first.like)
    before, after = second.logits(second.tensors), second.logits(moved)
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6


def test_data_brings_the_loss_of_the_average_down(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_STEPS", 100)
    first, second = pair
    by_weights = nearer(first.tensors, second.tensors, first.spec)
    by_data = nearer_with_data(first.tensors, second.tensors, first.spec, digits, first.like)
    assert loss_between(first, by_data, digits) < 0.5 * loss_between(first, by_weights, digits)


def test_of_a_copy_nothing_is_learned(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_learned", None)
    first, _ = pair
    action = replace(random_continuous_action(first.spec, np.random.default_rng(0)), scales={})
    copy = acted(action, first.spec, first.tensors)
    moved = nearer_with_data(first.tensors, copy, first.spec, digits, first.like)
    for name, values in moved.items():
        np.testing.assert_allclose(values, first.tensors[name], rtol=1e-4, atol=1e-4)


def test_an_average_that_loses_no_more_than_the_ends_is_left(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_learned", None)
    monkeypatch.setattr(learned.Slopes, "loss", lambda *_: 1.0)
    first, second = pair
    found = nearer_with_data(first.tensors, second.tensors, first.spec, digits, first.like)
    expected = nearer(first.tensors, second.tensors, first.spec)
    assert all(np.array_equal(values, expected[name]) for name, values in found.items())


def test_learning_twice_gives_one_result(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_STEPS", 3)
    first, second = pair
    one, other = (nearer_with_data(first.tensors, second.tensors, first.spec, digits, first.like) for _ in range(2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_inputs_that_are_held_out_take_no_part(pair, digits, monkeypatch):
    monkeypatch.setattr(learned, "_STEPS", 3)
    first, second = pair
    blind = replace(digits, test_inputs=digits.test_inputs * 0, validation_inputs=digits.validation_inputs * 0)
    seen = nearer_with_data(first.tensors, second.tensors, first.spec, digits, first.like)
    unseen = nearer_with_data(first.tensors, second.tensors, first.spec, blind, first.like)
    for name, values in seen.items():
        np.testing.assert_array_equal(values, unseen[name])
