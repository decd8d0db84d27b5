"""The order test: exact for networks that were made independently, and sure of those that were not."""

import numpy as np
import pytest
from networks import Plan, random_weights, spec_of

from wembed.checkpoint import in_memory
from wembed.kinship import order_test, share

PLAN = Plan(8, (12, 10), 4)


def item(arrays, plan=PLAN):
    return in_memory(arrays, {}), spec_of(plan, arrays)


def p_value(first, second, plan=PLAN, seed=0):
    tested = order_test(share(item(first, plan), item(second, plan)), frozenset(), np.random.default_rng(seed))
    assert tested is not None
    return tested.p_value


def noisy(arrays, change, seed=1):
    generator = np.random.default_rng(seed)
    return {
        name: values + change * values.std() * generator.normal(size=values.shape)
        for name, values in arrays.items()
        if values.dtype.kind == "f"
    }


def test_p_values_of_independent_networks_are_no_smaller_than_they_say():
    drawn = [random_weights(PLAN, np.random.default_rng(seed)) for seed in range(240)]
    found = np.array([p_value(first, second) for first, second in zip(drawn[::2], drawn[1::2], strict=True)])
    for level in (0.05, 0.2, 0.5):
        allowed = level + 3 * np.sqrt(level * (1 - level) / len(found))
        assert (found <= level).mean() <= allowed


@pytest.mark.parametrize("change", [0.01, 0.3, 1.0])
def test_a_network_that_was_moved_keeps_its_order(change):
    first = random_weights(PLAN, np.random.default_rng(0))
    assert p_value(first, noisy(first, change)) < 1e-3


def test_what_all_neurons_have_in_common_is_no_evidence():
    first, second = (random_weights(PLAN, np.random.default_rng(seed)) for seed in (3, 4))
    common = 5.0 * np.random.default_rng(5).normal(size=8)
    shifted = [{**arrays, "0.weight": arrays["0.weight"] + common} for arrays in (first, second)]
    assert p_value(*shifted) > 1e-3


def test_a_shuffled_copy_has_lost_its_order():
    first = random_weights(PLAN, np.random.default_rng(0))
    generator = np.random.default_rng(1)
    order = generator.permutation(12)
    second = {**first, "0.weight": first["0.weight"][order], "0.bias": first["0.bias"][order]}
    second["2.weight"] = first["2.weight"][:, order][generator.permutation(10)]
    assert p_value(first, second) > 1e-3


def test_without_hidden_neurons_there_is_no_test():
    plan = Plan(8, (), 4)
    drawn = [item(random_weights(plan, np.random.default_rng(seed)), plan) for seed in (0, 1)]
    assert order_test(share(*drawn), frozenset(), np.random.default_rng(0)) is None


def test_the_same_seed_gives_the_same_p_value():
    drawn = [random_weights(PLAN, np.random.default_rng(seed)) for seed in (0, 1)]
    assert p_value(*drawn, seed=7) == p_value(*drawn, seed=7)
