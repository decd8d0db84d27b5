"""The features of a block: what repeating and turning its entries leaves as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numpy_arrays
from networks import InMemory, Plan, in_float64, random_weights, spec_of

from wembed.encoder import load_encoder, pooled_stats, unit_rows
from wembed.encoder.features import VECTOR_FEATURES, BlockFeatures, block_features, cosine_modes, quantiles
from wembed.graph import build_graph
from wembed.symmetry import declare_spec

numbers = numpy_arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))


@given(values=numbers, times=st.integers(2, 9), count=st.integers(1, 13))
def test_quantiles_do_not_change_when_all_is_repeated(values, times, count):
    np.testing.assert_array_equal(quantiles(np.repeat(values, times), count), quantiles(values, count))


@given(values=numbers, seed=st.integers(0, 1000))
def test_quantiles_do_not_depend_on_the_order(values, seed):
    shuffled = np.random.default_rng(seed).permutation(values)
    np.testing.assert_array_equal(quantiles(shuffled, 7), quantiles(values, 7))


@given(values=numbers)
def test_quantiles_are_values_in_rising_order(values):
    found = quantiles(values, 7)
    assert np.isin(found, values).all()
    assert (np.diff(found) >= 0).all()


@given(values=numbers, seed=st.integers(0, 1000))
def test_symmetric_quantiles_ignore_signs(values, seed):
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], len(values))
    one, other = (quantiles(part, 7, symmetric=True) for part in (values, signs * values))
    np.testing.assert_array_equal(one, other)


def test_quantiles_of_nothing_are_zero():
    np.testing.assert_array_equal(quantiles(np.zeros(0), 5), np.zeros(5))


def test_cosine_modes_are_orthogonal():
    modes = cosine_modes(16, 6)
    np.testing.assert_allclose(modes @ modes.T, 8 * np.eye(6), atol=1e-12)
    np.testing.assert_allclose(modes.sum(1), 0, atol=1e-12)


@pytest.mark.parametrize("plan", [Plan(3, (4, 5), 2), Plan(2, (4, 6), 3, kernels=(3,)), Plan(1, (1,), 1)])
def test_features_have_the_promised_lengths(plan):
    arrays = random_weights(plan, np.random.default_rng(0))
    graph = build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays))
    for block in graph.blocks:
        features = block_features(graph, block)
        assert len(features.concatenated()) == sum(BlockFeatures.lengths())
        assert np.isfinite(features.concatenated()).all()
    assert pooled_stats(graph).shape == (4 * sum(BlockFeatures.lengths()) + 2 * VECTOR_FEATURES,)


def test_profiles_are_zero_where_the_order_means_nothing():
    plan = Plan(3, (4, 5), 2)
    arrays = random_weights(plan, np.random.default_rng(0))
    graph = build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays))
    first, middle, last = (block_features(graph, block) for block in graph.blocks)
    assert first.inputs.any() and not first.outputs.any()
    assert not middle.inputs.any() and not middle.outputs.any()
    assert last.outputs.any() and not last.inputs.any()


def test_spectrum_is_that_of_the_weight():
    plan = Plan(6, (), 4)
    arrays = random_weights(plan, np.random.default_rng(0))
    graph = build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays))
    singular = np.linalg.svd(arrays["0.weight"].astype(np.float64), compute_uv=False)
    found = block_features(graph, graph.blocks[0]).spectrum
    np.testing.assert_allclose(found[:4], singular / np.linalg.norm(singular), rtol=1e-10)
    assert not found[4:].any()


def test_rows_become_unit_rows_and_zeros_stay():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
def test_id_is_the_same_every_time(name):
    one, other = load_encoder(name), load_encoder(name)
    assert one.id == other.id
    assert one.id.startswith(f"{name}-")


def test_ids_tell_encoders_apart():
    assert len({load_encoder(name).id for name in ("fingerprint", "stats", "gnn")}) == 3


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
@pytest.mark.parametrize("tensor", ["1.weight", "1.running_var"])
def test_norms_that_are_not_folded_are_seen(name, tensor):
    plan = Plan(3, (6, 5), 2, norm="after")
    arrays = in_float64(random_weights(plan, np.random.default_rng(0)))
    norm = next(key for key in arrays if key.endswith(tensor.partition(".")[2]) and arrays[key].ndim == 1)
    norm = norm if tensor == "1.weight" else next(key for key in arrays if key.endswith("running_var"))
    changed = arrays | {norm: arrays[norm] * np.linspace(1, 9, len(arrays[norm]))}
    spec = spec_of(plan, arrays)
    before, after = load_encoder(name).embed([(InMemory(arrays), spec), (InMemory(changed), spec)])
    assert np.linalg.norm(before - after) > 1e-3


def test_slopes_are_seen():
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "1.weight": (4,), "2.weight": (2, 4)}
    generator = np.random.default_rng(0)
    arrays = {key: generator.normal(size=shape) for key, shape in shapes.items()}
    spec = declare_spec(shapes, [["0", "1", "2"]])
    changed = arrays | {"1.weight": arrays["1.weight"] * 3}
    before, after = load_encoder("fingerprint").embed([(InMemory(arrays), spec), (InMemory(changed), spec)])
    assert np.linalg.norm(before - after) > 1e-3
