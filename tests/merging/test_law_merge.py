"""Merging sees functions and not files: neither the order nor the scales of the neurons matter."""

from itertools import product

import numpy as np
import pytest
from networks import ACTIVATIONS, Plan, in_float64, random_weights, run_network, spec_of

from wembed.checkpoint import in_memory
from wembed.merging import MergeOptions, merge
from wembed.symmetry import Action, apply_action, random_action

SHAPES = {
    "mlp": Plan(7, (12, 1, 20), 4),
    "cnn": Plan(2, (9, 11), 5, kernels=(3, 1), pooled=frozenset({0})),
}
FAMILIES = [
    pytest.param(Plan(**{**vars(shape), "activation": activation, "norm": norm}), id=f"{kind}-{activation}-{norm}")
    for (kind, shape), activation, norm in product(SHAPES.items(), ACTIVATIONS, ("none", "before", "after"))
]


def network(plan: Plan, seed: int):
    arrays = in_float64(random_weights(plan, np.random.default_rng(seed)))
    return in_memory(arrays), spec_of(plan, arrays)


def disguised(item, seed: int, permutes: bool = True):
    """The same function with its neurons rescaled and, if not told otherwise, shuffled."""
    checkpoint, spec = item
    action = random_action(spec, np.random.default_rng(seed), rescale=True)
    action = action if permutes else Action({}, action.scales)
    return in_memory({name: np.array(values) for name, values in apply_action(action, spec, checkpoint.read)}), spec


def assert_same(found, expected, tolerance: float = 1e-9) -> None:
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=tolerance, atol=tolerance)


def tensors(item) -> dict:
    return {name: item[0].read(name) for name in item[1].tensors}


@pytest.mark.parametrize("plan", FAMILIES)
def test_nothing_of_the_second_leaves_the_first(plan):
    first, second = network(plan, 1), network(plan, 2)
    assert_same(merge([first, second], MergeOptions(t=0.0)).tensors, tensors(first), 1e-12)


@pytest.mark.parametrize("plan", FAMILIES)
def test_all_of_the_second_has_its_function(plan):
    first, second = network(plan, 1), network(plan, 2)
    merged = merge([first, second], MergeOptions(t=1.0)).tensors
    before = run_network(plan, tensors(second), np.random.default_rng(3))
    after = run_network(plan, merged, np.random.default_rng(3))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-9 * np.abs(before).max())


@pytest.mark.parametrize("plan", FAMILIES)
def test_a_network_merged_with_its_own_disguises_is_itself(plan):
    first = network(plan, 1)
    merged = merge([first, disguised(first, 4), disguised(first, 5)], MergeOptions())
    assert_same(merged.tensors, tensors(first))
    assert merged.aligned.cost_after < 1e-12 * merged.aligned.cost_before


@pytest.mark.parametrize("plan", FAMILIES)
def test_a_disguise_of_the_second_changes_nothing(plan):
    first, second = network(plan, 1), network(plan, 2)
    expected = merge([first, second], MergeOptions(t=0.4))
    found = merge([first, disguised(second, 6)], MergeOptions(t=0.4))
    assert_same(found.tensors, expected.tensors)
    assert found.aligned.cost_after == pytest.approx(expected.aligned.cost_after)


@pytest.mark.parametrize("plan", [family for family in FAMILIES if family.values[0].activation != "tanh"])
def test_scales_of_the_first_are_kept_and_change_no_function(plan):
    first, second = network(plan, 1), network(plan, 2)
    rescaled = disguised(first, 7, permutes=False)
    functions = [
        run_network(plan, merge([item, second], MergeOptions()).tensors, np.random.default_rng(3))
        for item in (first, rescaled)
    ]
    np.testing.assert_allclose(functions[1], functions[0], rtol=0, atol=1e-9 * np.abs(functions[0]).max())


@pytest.mark.parametrize("plan", FAMILIES)
def test_without_alignment_a_disguise_changes_the_merge(plan):
    first = network(plan, 1)
    merged = merge([first, disguised(first, 4)], MergeOptions(align="none")).tensors
    before = run_network(plan, tensors(first), np.random.default_rng(3))
    after = run_network(plan, merged, np.random.default_rng(3))
    assert np.abs(after - before).max() > 1e-2 * np.abs(before).max()


def test_without_alignment_the_merge_is_the_plain_average():
    first, second = network(SHAPES["mlp"], 1), network(SHAPES["mlp"], 2)
    merged = merge([first, second], MergeOptions(t=0.25, align="none"))
    a, b = tensors(first), tensors(second)
    assert_same(merged.tensors, {name: 0.75 * a[name] + 0.25 * b[name] for name in a}, 1e-15)
    assert merged.aligned.cost_before == merged.aligned.cost_after
