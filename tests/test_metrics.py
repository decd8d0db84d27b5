"""The metrics against values worked out by hand, and against scipy's definitions."""

import itertools

import numpy as np
import pytest
from scipy import stats

from wembed import metrics


def test_errors_by_hand():
    true, predicted = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])
    assert metrics.mse(true, predicted) == 3.0
    assert metrics.mae(true, predicted) == 1.0
    assert metrics.r2(true, predicted) == pytest.approx(1 - 3.0 / (2 / 3))


def test_predicting_the_mean_explains_nothing():
    true = np.array([0.2, 0.4, 0.9])
    assert metrics.r2(true, np.full(3, true.mean())) == pytest.approx(0.0)


def test_tau_by_hand_with_a_tie():
    # Pairs: (1,2) tied in the truth; (1,3) and (2,3) concordant and discordant: tau = 0; swapped: both concordant.
    assert metrics.kendall_tau(np.array([1.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])) == pytest.approx(0.0)
    assert metrics.kendall_tau(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / np.sqrt(6))


def test_correlations_of_ranks_agree_with_scipy():
    generator = np.random.default_rng(0)
    true, predicted = generator.integers(0, 9, 50).astype(float), generator.normal(size=50)
    assert metrics.spearman(true, predicted) == pytest.approx(
        np.corrcoef(stats.rankdata(true), stats.rankdata(predicted))[0, 1]
    )
    pairs = list(itertools.combinations(range(50), 2))
    signs = [np.sign(true[i] - true[j]) * np.sign(predicted[i] - predicted[j]) for i, j in pairs]
    untied = sum(true[i] != true[j] for i, j in pairs)
    assert metrics.kendall_tau(true, predicted) == pytest.approx(sum(signs) / np.sqrt(untied * len(pairs)))


def test_what_does_not_vary_has_no_correlation():
    flat, other = np.ones(4), np.arange(4.0)
    assert metrics.r2(flat, other) is None
    assert metrics.spearman(flat, other) is None
    assert metrics.kendall_tau(other, flat) is None


@pytest.mark.parametrize("values", [[1, 1, 2, 3], [1, 2, 3, 4], [0, 0, 0, 1], [5, 5, 2, 2]])
def test_no_untied_prediction_exceeds_tau_max_and_one_reaches_it(values):
    true = np.array(values, dtype=float)
    reached = [metrics.kendall_tau(true, np.array(order, dtype=float)) for order in itertools.permutations(range(4))]
    assert max(reached) == pytest.approx(metrics.tau_max(true))
