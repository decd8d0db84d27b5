"""The features of a block: what repeating and turning its entries leaves as it is."""

import numpy as np
import pytest
from networks import InMemory, Plan, in_float64, random_weights, spec_of

from wembed.encoder import load_encoder, pooled_stats, unit_rows
from wembed.encoder.features import VECTOR_FEATURES, BlockFeatures, block_features, cosine_modes
from wembed.graph import build_graph
from wembed.symmetry import declare_spec


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
