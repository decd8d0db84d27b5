"""Every member of a network's symmetry group leaves its function unchanged."""

import numpy as np
import pytest
from small_networks import NETWORKS, Net

from wembed.symmetry import (
    Action,
    apply_action,
    compose,
    invert,
    random_action,
    random_continuous_action,
)
from wembed.symmetry.action.random_actions import has_continuous


def acted(net: Net, action: Action) -> dict:
    return dict(apply_action(action, net.spec, net.arrays.__getitem__))


def change(net: Net, arrays: dict) -> float:
    """The largest difference of outputs, relative to the largest output."""
    before, after = net.forward(net.arrays), net.forward(arrays)
    return float(np.abs(after - before).max() / np.abs(before).max())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_permuted_and_rescaled_network_computes_the_same(name, seed, record_property):
    net = NETWORKS[name](seed)
    moved = acted(net, random_action(net.spec, np.random.default_rng(seed), rescale=True))
    record_property("function: heads, experts, gates in float64", change(net, moved))
    assert moved.keys() == net.arrays.keys()
    assert change(net, moved) < 1e-10
    assert any(not np.array_equal(moved[key], net.arrays[key]) for key in moved)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_continuous_action_computes_the_same(name, seed, record_property):
    net = NETWORKS[name](seed)
    action = random_continuous_action(net.spec, np.random.default_rng(seed))
    record_property("function: matrices, turns, shifts in float64", change(net, acted(net, action)))
    assert bool(action.mixes or action.turns or action.shifts) == has_continuous(net.spec)
    assert change(net, acted(net, action)) < 1e-10


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("attention", {"mixes", "shifts"}),
        ("fused", {"mixes", "shifts"}),
        ("rotary", {"mixes", "turns", "scales"}),
        ("lora", {"mixes"}),
        ("gated", {"scales"}),
        ("lstm", {"scales"}),
        ("post_norm", set()),
    ],
)
def test_continuous_action_holds_all_that_a_network_allows(name, kinds):
    action = random_continuous_action(NETWORKS[name]().spec, np.random.default_rng(0))
    assert {kind for kind in ("scales", "mixes", "turns", "shifts") if getattr(action, kind)} == kinds


def test_keys_and_values_may_both_be_shifted():
    action = random_continuous_action(NETWORKS["attention"]().spec, np.random.default_rng(0))
    assert action.shifts.keys() == {"k", "v"}


def test_heads_dimensions_are_permuted_differently_in_each_head():
    net = NETWORKS["attention"]()
    action = random_action(net.spec, np.random.default_rng(3))
    assert action.permutations["d"].shape == (2, 4)
    assert not np.array_equal(*action.permutations["d"])


@pytest.mark.parametrize(("atom", "index"), [("d", [1, 2, 3, 0]), ("g", [1, 0])])
def test_permuting_queries_alone_breaks_the_function(atom, index):
    net = NETWORKS["attention"]()
    other = acted(net, Action({atom: np.array(index)}, {}))
    half = net.arrays | {"q.weight": other["q.weight"], "q.bias": other["q.bias"]}
    assert change(net, half) > 1e-2


@pytest.mark.parametrize("name", NETWORKS)
def test_inverse_undoes_and_composition_follows(name):
    net = NETWORKS[name](5)
    generator = np.random.default_rng(6)
    first, second = (random_action(net.spec, generator, rescale=True) for _ in range(2))
    once = acted(net, first)
    twice = dict(apply_action(second, net.spec, once.__getitem__))
    both = acted(net, compose(second, first, net.spec))
    back = dict(apply_action(invert(first, net.spec), net.spec, once.__getitem__))
    for key, values in net.arrays.items():
        np.testing.assert_allclose(both[key], twice[key], rtol=1e-10)
        np.testing.assert_allclose(back[key], values, rtol=1e-10)


def test_composition_where_only_the_parent_or_only_the_child_is_permuted():
    net = NETWORKS["experts"](7)
    whole = random_action(net.spec, np.random.default_rng(8))
    parent = Action({"E": whole.permutations["E"]}, {})
    child = Action({"m": whole.permutations["m"]}, {})
    for first, second in ((parent, child), (child, parent)):
        twice = dict(apply_action(second, net.spec, acted(net, first).__getitem__))
        both = acted(net, compose(second, first, net.spec))
        for key in net.arrays:
            np.testing.assert_array_equal(both[key], twice[key])


def test_matrices_are_not_composed():
    net = NETWORKS["lora"]()
    with pytest.raises(ValueError, match="only permutations and scales"):
        invert(random_continuous_action(net.spec, np.random.default_rng(0)), net.spec)


def test_powers_of_two_stay_exact_through_duals():
    net = NETWORKS["attention"]()
    action = random_action(net.spec, np.random.default_rng(9), rescale=True, powers_of_two=True)
    for factors in action.scales.values():
        np.testing.assert_array_equal(np.abs(factors), np.exp2(np.round(np.log2(np.abs(factors)))))
    assert "k" not in action.scales
