"""The signature: blind to order, scale and sign of neurons, and to how often each is there; not to what they are."""

import numpy as np
import pytest
from networks import InMemory, Plan, random_weights, spec_of

from wembed.encoder.neurons import _frequencies, _isotropic
from wembed.encoder.reading import Reading
from wembed.graph import build_graph
from wembed.symmetry import apply_action, declare_spec, random_action


def _signature(arrays, spec):
    return Reading.of(build_graph(InMemory(arrays), spec)).signature


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_signature_knows_the_network_in_every_gauge_and_no_other(activation):
    plan = Plan(12, (20, 16), 5, activation=activation)
    one, other = (random_weights(plan, np.random.default_rng(seed)) for seed in (0, 1))
    spec = spec_of(plan, one)
    acted = dict(apply_action(random_action(spec, np.random.default_rng(2)), spec, one.__getitem__))
    found = _signature(one, spec)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(_signature(acted, spec), found, atol=1e-5)
    assert found @ _signature(other, spec) < 0.4


def test_vocabulary_that_grew_is_known_again():
    small = {"embedding.weight": (50, 16), "head.weight": (50, 16)}
    generator = np.random.default_rng(0)
    before = {name: generator.standard_normal(shape) for name, shape in small.items()}
    plan = [["embedding", "head"]]
    shapes = {"embedding.weight": (16, 50), "head.weight": (50, 16)}
    transposed = {"embedding.weight": before["embedding.weight"].T.copy(), "head.weight": before["head.weight"]}
    more = {
        "embedding.weight": np.concatenate([transposed["embedding.weight"], generator.standard_normal((16, 2))], 1),
        "head.weight": np.concatenate([transposed["head.weight"], generator.standard_normal((2, 16))]),
    }
    found = _signature(transposed, declare_spec(shapes, plan))
    grown = _signature(more, declare_spec({"embedding.weight": (16, 52), "head.weight": (52, 16)}, plan))
    assert found @ grown > 0.8


@pytest.mark.parametrize("length", [2, 9, 128, 129, 5000])
def test_isotropic_mean_is_that_of_many_directions(length):
    directions = np.random.default_rng(0).standard_normal((4000, length)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    measured = np.cos(directions @ _frequencies(length, 0)).mean(0)
    expected = _isotropic(length, 0)[: len(measured)]
    assert np.abs(measured - expected).max() < 5 / np.sqrt(len(directions))
    assert np.corrcoef(measured, expected)[0, 1] > 0.9 or np.abs(expected).max() < 0.02
