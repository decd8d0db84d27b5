from itertools import permutations

import numpy as np
import pytest
from networks import Plan, in_float64, random_weights, spec_of

from wembed.merging.matching.search import distance, match, positions_of
from wembed.symmetry import Action, apply_action, random_action
from wembed.symmetry.axes import Product, Sum, gather_index

SIZES = {"a": 3, "b": 2, "c": 4}
AXES = ["a", Product(("a", "b")), Product(("b", "a", "c")), Sum(("c", "a")), Sum(("a", Product(("b", "a")), "c"))]


@pytest.mark.parametrize("axis", AXES)
def test_positions_follow_the_atom(axis):
    index = np.array([2, 0, 1])
    gathered = gather_index(axis, {"a": index}, SIZES)
    before, after = (values[positions_of(axis, "a", SIZES)] for values in (np.arange(len(gathered)), gathered))
    np.testing.assert_array_equal(after, before[index])


def pair(plan: Plan):
    arrays = [in_float64(random_weights(plan, np.random.default_rng(seed))) for seed in (1, 2)]
    return *arrays, spec_of(plan, arrays[0])


@pytest.mark.parametrize("plan", [Plan(6, (10, 10), 4), Plan(6, (10, 10), 4, activation="tanh")])
def test_matching_beats_random_actions(plan):
    first, second, spec = pair(plan)
    found = dict(apply_action(match(first, second, spec, np.random.default_rng(0)), spec, second.__getitem__))
    generator = np.random.default_rng(5)
    others = [dict(apply_action(random_action(spec, generator), spec, second.__getitem__)) for _ in range(200)]
    assert distance(first, found, spec) < 0.97 * min(distance(first, other, spec) for other in others)


def test_matching_one_layer_finds_the_best_of_all():
    first, second, spec = pair(Plan(3, (5,), 2))
    (atom,) = (name for name, atom in spec.atoms.items() if not atom.frozen)
    every = (Action({atom: np.array(order)}, {}) for order in permutations(range(5)))
    best = min(distance(first, dict(apply_action(a, spec, second.__getitem__)), spec) for a in every)
    found = dict(apply_action(match(first, second, spec, np.random.default_rng(0)), spec, second.__getitem__))
    assert distance(first, found, spec) == pytest.approx(best)


def test_signs_bring_tanh_networks_nearer():
    first, second, spec = pair(Plan(6, (10,), 4, activation="tanh"))
    action = match(first, second, spec, np.random.default_rng(0))
    unsigned = Action(action.permutations, {})
    near, far = (dict(apply_action(a, spec, second.__getitem__)) for a in (action, unsigned))
    assert {-1.0, 1.0} == {float(sign) for factors in action.scales.values() for sign in factors}
    assert distance(first, near, spec) < 0.9 * distance(first, far, spec)


def test_the_same_seed_gives_the_same_match():
    first, second, spec = pair(Plan(6, (10, 10), 4))
    found = [match(first, second, spec, np.random.default_rng(3)).permutations for _ in range(2)]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
