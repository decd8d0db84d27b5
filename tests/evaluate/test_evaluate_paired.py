"""Two predictions compared on the same draws of runs."""

import numpy as np
import pytest

from wembed.evaluate.prediction.paired import paired_difference
from wembed.metrics import kendall_tau, tau_max

RUNS = np.repeat([f"r{number:02d}" for number in range(60)], 3)


def draw(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies, and what a noisy prediction makes of them."""
    generator = np.random.default_rng(seed)
    true = generator.random(len(RUNS)).round(2)
    return true, true + generator.normal(0.0, noise, len(RUNS))


def compare(true, first, second):
    return paired_difference(true, first, second, RUNS, np.random.default_rng(1))


def test_a_better_prediction_is_above_in_all_draws():
    true, close = draw(0.05)
    far = draw(0.5, seed=0)[1]
    found = compare(true, close, far)
    assert found.low > 0
    assert found.above == 1
    assert found.low < found.value < found.high
    other = compare(true, far, close)
    assert (other.value, other.above) == (pytest.approx(-found.value), 0)


def test_predictions_that_err_alike_differ_by_less_than_each_is_uncertain():
    true, first = draw(0.2)
    found = compare(true, first, first + np.random.default_rng(3).normal(0.0, 0.01, len(true)))
    alone = compare(true, first, draw(0.2, seed=5)[1] - draw(0.2, seed=5)[0] + true)
    assert found.low < 0 < found.high
    assert found.error < 0.3 * alone.error


def test_the_same_order_is_no_difference():
    true, first = draw(0.1)
    found = compare(true, first, 2.0 * first + 1.0)
    assert (found.value, found.low, found.high, found.above) == (0, 0, 0, 0)


def test_snapshots_of_a_run_are_no_independent_evidence():
    true, first = draw(0.2)
    second = draw(0.3)[1]
    alone = np.array([f"r{number}" for number in range(len(RUNS))])
    copies, few = (np.tile(part, 3) for part in (true, first)), np.tile(second, 3)
    by_run = paired_difference(*copies, few, np.tile(alone, 3), np.random.default_rng(1))
    once = paired_difference(true, first, second, alone, np.random.default_rng(1))
    assert by_run.error == pytest.approx(once.error, rel=0.05)


def test_a_constant_orders_nothing():
    true, first = draw(0.1)
    found = compare(true, first, np.full(len(RUNS), 0.5))
    assert found.value == pytest.approx(kendall_tau(true, first) / tau_max(true))


def test_nothing_to_compare():
    true, first = draw(0.1)
    assert compare(np.full(len(RUNS), 0.5), first, first) is None
    assert paired_difference(true, first, first, np.full(len(RUNS), "r"), np.random.default_rng(0)) is None
