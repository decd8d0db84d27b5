"""Quantiles: values of the set itself, the same in pieces and whole, counted and sorted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numpy_arrays

from wembed.encoder.quantiles import quantiles, quantiles_of

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


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("size", [40_000, 300_001])
def test_counting_gives_what_sorting_gives(size, symmetric):
    generator = np.random.default_rng(size)
    scales = generator.choice([0.0, 1e-30, 1e-3, 1.0, 1e20], size)
    values = (generator.standard_normal(size) * scales).astype(np.float32)
    ordered = np.sort(np.concatenate([values, -values]) if symmetric else values)
    levels = (np.arange(13) + 0.5) / 13 + np.sqrt(2.0) * 1e-4
    expected = ordered[(levels * len(ordered)).astype(np.intp)]
    np.testing.assert_array_equal(quantiles(values, 13, symmetric), expected)
    pieces = np.array_split(values, 7)
    np.testing.assert_array_equal(quantiles_of(lambda: pieces, size, 13, symmetric), expected)


def test_very_many_doubles_are_rounded():
    values = np.random.default_rng(0).standard_normal(50_000)
    np.testing.assert_allclose(quantiles(values, 7), quantiles(values.astype(np.float32), 7), rtol=1e-7)
