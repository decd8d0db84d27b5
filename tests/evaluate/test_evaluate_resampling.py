"""Means of queries with intervals that know which queries belong together."""

import itertools

import numpy as np
import pytest

from wembed.evaluate.resampling import draw_pairs, estimated, estimated_by, pair_means


def generator():
    return np.random.default_rng(0)


def test_an_interval_holds_the_mean_and_is_two_errors_to_either_side():
    values = np.random.default_rng(1).random(400)
    found = estimated(values, np.arange(400).astype(str), generator())
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(values.mean())
    assert np.allclose([found.value - found.low, found.high - found.value], 1.96 * found.error, rtol=0.15)


def test_queries_of_one_group_are_no_more_than_one():
    values = np.repeat(np.random.default_rng(1).random(20), 20)
    together = estimated(values, np.repeat(np.arange(20), 20).astype(str), generator())
    apart = estimated(values, np.arange(400).astype(str), generator())
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_a_single_group_has_no_interval():
    found = estimated(np.array([0.0, 1.0]), np.array(["a", "a"]), generator())
    assert (found.value, found.error, found.low, found.high) == (0.5, None, None, None)


def test_very_few_groups_have_no_interval():
    found = estimated(np.arange(4.0), np.array(list("abcd")), generator())
    assert (found.value, found.error, found.low, found.high) == (1.5, None, None, None)


def test_pairs_that_share_an_end_are_no_independent_evidence():
    """What a pair has is the sum of what its ends have: the error is that of a mean over pairs of other networks."""
    draw, names = np.random.default_rng(1), np.array([f"n{number:02d}" for number in range(18)])
    pairs = draw.permutation(np.array(list(itertools.combinations(range(18), 2))))[:24]
    means, errors = [], []
    for _ in range(40):
        values = draw.normal(size=18)[pairs].sum(1)
        means.append(values.mean())
        errors.append(estimated_by(pair_means(values, draw_pairs(names[pairs], draw))).error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.3)
    alone = values.std(ddof=1) / np.sqrt(len(pairs))
    assert errors[-1] > 1.3 * alone
