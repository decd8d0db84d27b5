"""What a network makes of its inputs, and what moves a prediction: small networks in memory."""

import numpy as np
import pytest

from wembed.checkpoint import in_memory
from wembed.encoder import Item, Stats
from wembed.errors import WembedError
from wembed.prediction import Answer, Examples, Fitted, Transfer, fit_predictor
from wembed.prediction.explain import explain
from wembed.symmetry import apply_action, declare_spec, random_action

SHAPES = {"0.weight": (16, 8), "0.bias": (16,), "2.weight": (4, 16), "2.bias": (4,)}


@pytest.fixture(scope="module")
def spec():
    from torch import nn

    from wembed.models import chain_steps

    return declare_spec(SHAPES, [chain_steps(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)))])


def network(spec, seed: int, scale: float = 1.0) -> Item:
    generator = np.random.default_rng(seed)
    return in_memory({name: scale * generator.normal(size=shape) for name, shape in SHAPES.items()}), spec


def test_a_transfer_is_the_product_of_the_weights(spec):
    item = network(spec, 0)
    product = item[0].read("2.weight") @ item[0].read("0.weight")
    product -= product.mean(0)
    (found,) = Transfer().embed([item])
    assert np.allclose(found.reshape(16, 64)[:4, :8], product / np.linalg.norm(product), atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-6)


def test_a_transfer_ignores_order_and_scale_of_hidden_neurons(spec):
    checkpoint, _ = item = network(spec, 1)
    action = random_action(spec, np.random.default_rng(2), rescale=True)
    moved = in_memory(dict(apply_action(action, spec, checkpoint.read)))
    one, other = Transfer().embed([item, (moved, spec)])
    assert np.allclose(one, other, atol=1e-6)


@pytest.fixture(scope="module")
def fitted(spec) -> Fitted:
    """Predicts how large the weights are."""
    scales = np.random.default_rng(0).uniform(0.2, 1.0, 60)
    vectors = Stats().embed([network(spec, number, scale) for number, scale in enumerate(scales)]).astype(np.float64)
    sides = [
        Examples(vectors[part], scales[part], np.arange(60)[part].astype(str)) for part in np.split(np.arange(60), 2)
    ]
    return Fitted("scale", False, fit_predictor(*sides))


def embed(items):
    return Stats().embed(items).astype(np.float64)


def test_every_layer_is_explained_the_strongest_first(spec, fitted):
    effects = explain(network(spec, 99), embed, fitted, Answer("scale", 0.5, 0.0, 1.0, True))
    assert {each.layer for each in effects} == {"0", "2"}
    assert abs(effects[0].effect) >= abs(effects[1].effect)
    assert all(abs(each.effect) <= 1.0 for each in effects)


def test_what_is_not_told_is_not_explained(spec, fitted):
    assert explain(network(spec, 99), embed, fitted, Answer("scale", None, None, None, False)) == []


def test_a_layer_of_equal_weights_moves_nothing(spec, fitted):
    checkpoint, _ = network(spec, 5)
    tensors = {name: checkpoint.read(name) for name in SHAPES} | {"2.weight": np.full((4, 16), 0.5)}
    effects = explain((in_memory(tensors), spec), embed, fitted, Answer("scale", 0.5, 0.0, 1.0, True))
    assert {each.layer: each.effect for each in effects}["2"] == pytest.approx(0.0, abs=1e-9)


def test_too_large_a_network_is_not_explained(spec, fitted, monkeypatch):
    monkeypatch.setattr("wembed.prediction.explain.MOST_PARAMETERS", 100)
    with pytest.raises(WembedError, match="memory: too large to explain, found 212 parameters, expected at most 100"):
        explain(network(spec, 99), embed, fitted, Answer("scale", 0.5, 0.0, 1.0, True))
