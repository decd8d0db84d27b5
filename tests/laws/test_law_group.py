"""Actions are a group: identity, inverse, composition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import ACTIVATIONS, Plan, in_float64, random_weights, spec_of

from wembed.symmetry import Action, apply_action, compose, invert, random_action

widths = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def plans(draw) -> Plan:
    """Small chains of every kind."""
    hidden = draw(widths)
    return Plan(
        inputs=draw(st.integers(1, 4)),
        hidden=hidden,
        outputs=draw(st.integers(1, 4)),
        kernels=(3,) * draw(st.integers(0, len(hidden))),
        activation=draw(st.sampled_from(list(ACTIVATIONS))),
        norm=draw(st.sampled_from(["none", "before", "after"])),
        pooled=frozenset(draw(st.sampled_from([(), (0,)]))),
        global_pool=draw(st.booleans()),
    )


def _case(plan: Plan, seed: int):
    generator = np.random.default_rng(seed)
    arrays = random_weights(plan, generator)
    return in_float64(arrays), spec_of(plan, arrays), generator


def _random_part(spec, generator) -> Action:
    """A random action that may leave out permutations or scales."""
    action = random_action(spec, generator, rescale=bool(generator.random() < 0.7))
    kept = {name: index for name, index in action.permutations.items() if generator.random() < 0.7}
    return Action(kept, action.scales)


def _assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-12, atol=0, err_msg=name)


def _acted(action: Action, spec, values: dict) -> dict:
    return dict(apply_action(action, spec, values.__getitem__))


@given(plan=plans(), seed=seeds)
def test_nothing_named_changes_nothing(plan, seed):
    values, spec, _ = _case(plan, seed)
    for name, array in _acted(Action({}, {}), spec, values).items():
        np.testing.assert_array_equal(array, values[name])


@given(plan=plans(), seed=seeds)
def test_inverse_undoes_an_action(plan, seed):
    values, spec, generator = _case(plan, seed)
    action = _random_part(spec, generator)
    _assert_same(_acted(invert(action, spec), spec, _acted(action, spec, values)), values)
    _assert_same(_acted(action, spec, _acted(invert(action, spec), spec, values)), values)


@given(plan=plans(), seed=seeds)
def test_composed_action_is_one_after_the_other(plan, seed):
    values, spec, generator = _case(plan, seed)
    first, second = _random_part(spec, generator), _random_part(spec, generator)
    both = _acted(compose(second, first, spec), spec, values)
    _assert_same(both, _acted(second, spec, _acted(first, spec, values)))


@given(plan=plans(), seed=seeds)
def test_composition_is_associative(plan, seed):
    values, spec, generator = _case(plan, seed)
    a, b, c = (_random_part(spec, generator) for _ in range(3))
    left, right = compose(compose(c, b, spec), a, spec), compose(c, compose(b, a, spec), spec)
    _assert_same(_acted(left, spec, values), _acted(right, spec, values))


@given(plan=plans(), seed=seeds)
def test_inverse_of_a_composition_is_the_reversed_composition(plan, seed):
    values, spec, generator = _case(plan, seed)
    a, b = _random_part(spec, generator), _random_part(spec, generator)
    one = invert(compose(b, a, spec), spec)
    other = compose(invert(a, spec), invert(b, spec), spec)
    _assert_same(_acted(one, spec, values), _acted(other, spec, values))


@given(plan=plans(), seed=seeds)
def test_permutation_alone_is_undone_to_the_bit(plan, seed):
    values, spec, generator = _case(plan, seed)
    action = random_action(spec, generator)
    for name, array in _acted(invert(action, spec), spec, _acted(action, spec, values)).items():
        np.testing.assert_array_equal(array, values[name])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_random_scales_keep_to_the_class_of_their_site(activation):
    plan = Plan(3, (50, 40), 2, activation=activation)
    spec = spec_of(plan, random_weights(plan, np.random.default_rng(0)))
    scales = random_action(spec, np.random.default_rng(1), rescale=True).scales
    assert ("input" in scales, "4.out" in scales) == (False, False)
    match activation:
        case "gelu":
            assert not scales
        case "tanh":
            assert all(set(factors) == {-1.0, 1.0} for factors in scales.values())
        case _:
            assert all((factors > 0).all() and len(set(factors)) > 1 for factors in scales.values())


def test_powers_of_two_are_exact():
    plan = Plan(3, (50, 40), 2)
    spec = spec_of(plan, random_weights(plan, np.random.default_rng(0)))
    scales = random_action(spec, np.random.default_rng(1), rescale=True, powers_of_two=True).scales
    for factors in scales.values():
        assert (np.frexp(factors)[0] == 0.5).all()
        assert len(set(factors)) > 1
