"""Axis expressions: sizes, indices, scales, words, JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wembed.symmetry.axes import (
    Product,
    Sum,
    atoms_of,
    axis_from_json,
    axis_size,
    axis_text,
    axis_to_json,
    gather_index,
    part_atoms,
    part_index,
    parts_of,
    spread,
)

SIZES = {"a": 2, "b": 3, "c": 4}
PERMUTATIONS = {"a": np.array([1, 0]), "b": np.array([2, 0, 1])}

axes = st.recursive(
    st.sampled_from(list(SIZES)),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Product(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: Sum(tuple(parts)))
    ),
    max_leaves=4,
)


@given(axis=axes)
def test_axis_survives_json(axis):
    assert axis_from_json(json.loads(json.dumps(axis_to_json(axis)))) == axis


@given(axis=axes)
def test_index_is_a_permutation_of_the_whole_axis(axis):
    index = gather_index(axis, PERMUTATIONS, SIZES)
    assert sorted(index) == list(range(axis_size(axis, SIZES)))


@given(axis=axes)
def test_index_of_the_inverse_undoes_it(axis):
    inverse = {name: np.argsort(index) for name, index in PERMUTATIONS.items()}
    there, back = gather_index(axis, PERMUTATIONS, SIZES), gather_index(axis, inverse, SIZES)
    assert (there[back] == np.arange(len(there))).all()


@given(axis=axes)
def test_axis_without_permutations_stays(axis):
    assert (gather_index(axis, {}, SIZES) == np.arange(axis_size(axis, SIZES))).all()


def test_product_moves_whole_rows_of_the_last_factor():
    values = np.arange(6).reshape(2, 3)
    index = gather_index(Product(("a", "b")), PERMUTATIONS, SIZES)
    np.testing.assert_array_equal(values.reshape(-1)[index].reshape(2, 3), values[[1, 0]][:, [2, 0, 1]])


def test_sum_moves_each_term_within_itself():
    index = gather_index(Sum(("b", "a", "c")), PERMUTATIONS, SIZES)
    np.testing.assert_array_equal(index, [2, 0, 1, 4, 3, 5, 6, 7, 8])


def test_scale_of_a_channel_is_spread_over_its_pixels():
    out = spread(Product(("a", "b")), "a", np.array([2.0, 5.0]), SIZES)
    np.testing.assert_array_equal(out, [2, 2, 2, 5, 5, 5])


def test_scale_is_one_on_terms_that_do_not_hold_the_atom():
    out = spread(Sum(("b", "a")), "a", np.array([2.0, 5.0]), SIZES)
    np.testing.assert_array_equal(out, [1, 1, 1, 2, 5])


def test_axis_in_words():
    assert axis_text(Sum((Product(("a", "b")), "c"))) == "a x b | c"


def test_atoms_stand_as_often_as_they_are_used():
    assert list(atoms_of(Sum((Product(("a", "b")), "a")))) == ["a", "b", "a"]


@pytest.mark.parametrize("value", [None, 3, True, [], ["a"], {}, {"product": []}, {"sum": "ab"}, {"product": [1]}])
def test_what_is_no_axis_is_refused(value):
    with pytest.raises(ValueError, match="an axis is a name, a product or a sum, found"):
        axis_from_json(value)


def test_an_axis_nested_without_end_is_refused():
    nested: object = "x"
    for _ in range(500):
        nested = {"sum": [nested, "x"]}
    with pytest.raises(ValueError, match="an axis is nested more than 8 deep"):
        axis_from_json(nested)


@given(axis=axes)
def test_parts_of_an_axis_cover_it_once(axis):
    index = np.concatenate([part_index(axis, part, SIZES) for part in parts_of(axis)])
    assert sorted(index) == list(range(axis_size(axis, SIZES)))


@given(axis=axes)
def test_part_has_as_many_indices_as_its_atoms_say(axis):
    for part in parts_of(axis):
        size = np.prod([SIZES[atom] for atom in part_atoms(axis, part)], dtype=int)
        assert len(part_index(axis, part, SIZES)) == size


def test_part_of_a_sum_inside_a_product_is_strided():
    fused = Product(("a", Sum(("b", "b"))))
    np.testing.assert_array_equal(part_index(fused, (1,), SIZES), [3, 4, 5, 9, 10, 11])
    assert part_atoms(fused, (1,)) == ("a", "b")


@pytest.mark.parametrize("part", [(), (2,), (0, 0), (-1,)])
def test_part_that_an_axis_has_not_is_refused(part):
    with pytest.raises(ValueError, match=r"a \| b has no part"):
        part_atoms(Sum(("a", "b")), part)
