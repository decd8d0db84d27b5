"""Metrics on draws of whole groups: the same numbers as the plain way gives, and intervals that mean what they say."""

import numpy as np
import pytest

from wembed import metrics
from wembed.evaluate.prediction.draws import METRICS, draw_groups, measure

PLAIN = {
    "r2": metrics.r2,
    "mse": metrics.mse,
    "mae": metrics.mae,
    "spearman": metrics.spearman,
    "tau": metrics.kendall_tau,
    "tau_max": lambda true, predicted: metrics.tau_max(true),
}


@pytest.fixture
def sample():
    """Accuracies with ties, a prediction with ties, and the run of each, in no order."""
    generator = np.random.default_rng(0)
    true = generator.random(90).round(1)
    predicted = (true + generator.normal(0, 0.3, 90)).round(1)
    return true, predicted, generator.permutation(np.repeat([f"r{number}" for number in range(30)], 3))


@pytest.mark.parametrize("name", PLAIN)
def test_metrics_are_those_of_plain_arrays(sample, name):
    true, predicted, groups = sample
    found = measure(true, predicted[None], draw_groups(groups, np.random.default_rng(1)))[name]
    assert found.value == pytest.approx(PLAIN[name](true, predicted))


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "tau_max"])
def test_metrics_of_a_draw_are_those_of_its_checkpoints(sample, name):
    true, predicted, groups = sample
    draws = draw_groups(groups, np.random.default_rng(1))
    found = measure(true, predicted[None], draws)[name]
    times = draws.counts[7].astype(int)[draws.index]
    rows = np.repeat(np.arange(len(true)), times)
    assert found.drawn[6] == pytest.approx(PLAIN[name](true[rows], predicted[rows]))


def test_intervals_hold_the_value_and_widen_where_checkpoints_go_together(sample):
    true, predicted, _ = sample
    widths = []
    for groups in (np.arange(30).repeat(3).astype(str), np.arange(90).astype(str)):
        copies = [np.repeat(values[:30], 3) for values in (true, predicted)]
        found = measure(copies[0], copies[1][None], draw_groups(groups, np.random.default_rng(1)))["tau"]
        low, high = found.interval
        assert low < found.value < high
        widths.append(high - low)
    assert widths[0] > 1.3 * widths[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator, inside = np.random.default_rng(0), 0
    for _ in range(100):
        errors = generator.normal(0, 1, 60)
        draws = draw_groups(np.arange(60).astype(str), generator)
        low, high = measure(errors, np.zeros((1, 60)), draws)["mse"].interval
        inside += low <= 1.0 <= high
    assert 84 <= inside <= 100


def test_several_seeds_give_their_mean_and_their_spread(sample):
    true, predicted, groups = sample
    draws = draw_groups(groups, np.random.default_rng(1))
    both = measure(true, np.stack([predicted, true]), draws)["mae"]
    alone = [measure(true, row[None], draws)["mae"].value for row in (predicted, true)]
    assert both.value == pytest.approx(np.mean(alone))
    assert both.spread == pytest.approx(np.std(alone, ddof=1))
    assert measure(true, predicted[None], draws)["mae"].spread is None


def test_a_perfect_order_is_perfect_on_every_draw(sample):
    """A run that is drawn twice ties with itself, which is no tie of the truth."""
    true, _, groups = sample
    true = true + np.arange(len(true)) * 1e-6
    found = measure(true, true[None], draw_groups(groups, np.random.default_rng(1)))["tau/tau_max"]
    assert found.interval == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("count", [1, 4])
def test_very_few_groups_have_values_and_no_interval(sample, count):
    true, predicted, _ = sample
    groups = np.array([f"r{number % count}" for number in range(len(true))])
    found = measure(true, predicted[None], draw_groups(groups, np.random.default_rng(1)))
    assert all(found[name].value is not None and found[name].interval is None for name in METRICS)


def test_a_constant_has_no_order(sample):
    true, _, groups = sample
    found = measure(true, np.full((1, len(true)), 0.5), draw_groups(groups, np.random.default_rng(1)))
    assert [found[name].value for name in ("tau", "spearman", "tau/tau_max")] == [None] * 3
    assert found["mse"].value is not None


def test_a_truth_that_does_not_vary_is_explained_by_nothing(sample):
    _, predicted, groups = sample
    found = measure(np.full(len(predicted), 0.7), predicted[None], draw_groups(groups, np.random.default_rng(1)))
    assert found["r2"].value is None
    assert found["tau"].value is None
