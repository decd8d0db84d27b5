import numpy as np
import pytest
import torch

from wembed.zoo.builder.lineage.change import Tensors, relative_change, weight_names
from wembed.zoo.builder.lineage.edits import add_noise, merge, prune, round_to_bf16, round_to_int8

CHANGES = (1e-3, 0.03, 0.5, 0.9)


@pytest.fixture
def parent() -> Tensors:
    """Layers of unlike sizes and scales, and a norm with its statistics."""
    generator = np.random.default_rng(0)
    shapes = {"0.weight": (64, 16), "0.bias": (64,), "1.weight": (64,), "1.running_mean": (64,), "2.weight": (10, 64)}
    scales = {"0.weight": 0.5, "2.weight": 0.02}
    return {
        name: (scales.get(name, 1.0) * generator.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def assert_rest_is_carried_along(parent: Tensors, child: Tensors) -> None:
    assert list(child) == list(parent)
    for name in set(parent) - set(weight_names(parent)):
        np.testing.assert_array_equal(child[name], parent[name])
    assert all(values.dtype == np.float32 and values is not parent[name] for name, values in child.items())


@pytest.mark.parametrize("change", CHANGES)
def test_pruning_takes_the_smallest_weights_until_the_change_is_reached(parent, change):
    made = prune(parent, change)
    reached = relative_change(parent, made.tensors)
    assert change <= reached < 1.15 * change
    shares = []
    for name in weight_names(parent):
        gone = made.tensors[name] == 0
        np.testing.assert_array_equal(made.tensors[name][~gone], parent[name][~gone])
        assert np.abs(parent[name][gone]).max(initial=0) <= np.abs(parent[name][~gone]).min()
        shares.append(gone.mean())
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert made.details["sparsity"] == pytest.approx(np.average(shares, weights=[1024, 640]))
    assert_rest_is_carried_along(parent, made.tensors)


def test_pruning_leaves_a_weight_of_every_tensor(parent):
    made = prune(parent, 1.0)
    assert 0.98 < relative_change(parent, made.tensors) < 1
    assert [int((made.tensors[name] != 0).sum()) for name in weight_names(parent)] == [1, 1]


def test_what_is_pruned_already_can_be_pruned_further(parent):
    once = prune(parent, 0.3)
    twice = prune(once.tensors, 0.1)
    assert relative_change(once.tensors, twice.tensors) == pytest.approx(0.1, rel=0.15)
    assert twice.details["sparsity"] > once.details["sparsity"]


@pytest.mark.parametrize("change", CHANGES)
def test_noise_is_as_large_as_asked_in_every_weight_tensor(parent, change):
    made = add_noise(parent, change, np.random.default_rng(1))
    for name in weight_names(parent):
        assert relative_change({name: parent[name]}, made.tensors) == pytest.approx(change, rel=1e-3)
    assert relative_change(parent, made.tensors) == pytest.approx(change, rel=1e-3)
    assert_rest_is_carried_along(parent, made.tensors)


def test_int8_has_at_most_255_values_that_lie_evenly_on_both_sides_of_zero(parent):
    made = round_to_int8(parent)
    for name in weight_names(parent):
        step = np.abs(parent[name]).max() / 127
        levels = made.tensors[name] / step
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
        assert np.abs(made.tensors[name] - parent[name]).max() <= 0.501 * step
    assert 1e-3 < relative_change(parent, made.tensors) < 0.02
    assert made.details == {"bits": 8}
    assert_rest_is_carried_along(parent, made.tensors)
    nothing = {"weight": np.zeros((2, 2), np.float32)}
    np.testing.assert_array_equal(round_to_int8(nothing).tensors["weight"], nothing["weight"])


def test_bf16_rounds_everything_as_torch_does(parent):
    made = round_to_bf16(parent)
    for name, values in parent.items():
        np.testing.assert_array_equal(made.tensors[name], torch.from_numpy(values).bfloat16().float().numpy())
    assert 1e-4 < relative_change(parent, made.tensors) < 4e-3


@pytest.mark.parametrize(("change", "share"), [(0.02, 0.2), (0.05, 0.5), (0.8, 0.5)])
def test_a_merge_goes_as_far_as_asked_but_at_most_half_way(parent, change, share):
    other = add_noise(parent, 0.1, np.random.default_rng(1)).tensors
    other["1.running_mean"] = parent["1.running_mean"] + 1
    made = merge(parent, other, change)
    assert made.details["t"] == pytest.approx(share, rel=1e-3)
    assert relative_change(parent, made.tensors) == pytest.approx(0.1 * share, rel=1e-3)
    np.testing.assert_allclose(made.tensors["1.running_mean"] - parent["1.running_mean"], share, rtol=1e-3)
    assert merge(parent, parent, change).details["t"] == 0.5


def test_a_pruned_network_changes_as_little_as_is_asked(parent):
    once = prune(parent, 0.3)
    twice = prune(once.tensors, 0.01)
    gone = sum(int(((twice.tensors[name] == 0) & (once.tensors[name] != 0)).sum()) for name in weight_names(parent))
    assert gone == 1
    assert relative_change(once.tensors, twice.tensors) >= 0.01
