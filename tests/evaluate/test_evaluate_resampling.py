"""Means of queries with intervals that know which queries belong together."""

import numpy as np

from wembed.evaluate.resampling import estimated


def generator():
    return np.random.default_rng(0)


def test_an_interval_holds_the_mean_and_is_two_errors_to_either_side():
    values = np.random.default_rng(1).random(400)
    found = estimated(values, np.arange(400).astype(str), generator())
    assert found.low < found.value == values.mean() < found.high
    assert np.allclose([found.value - found.low, found.high - found.value], 1.96 * found.error, rtol=0.15)


def test_queries_of_one_group_are_no_more_than_one():
    values = np.repeat(np.random.default_rng(1).random(20), 20)
    together = estimated(values, np.repeat(np.arange(20), 20).astype(str), generator())
    apart = estimated(values, np.arange(400).astype(str), generator())
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_a_single_group_has_no_interval():
    found = estimated(np.array([0.0, 1.0]), np.array(["a", "a"]), generator())
    assert (found.value, found.error, found.low, found.high) == (0.5, None, None, None)
