"""Predictors on made-up embeddings: what they find, what their intervals hold, what they refuse."""

from types import SimpleNamespace

import numpy as np
import pytest

from wembed.encoder import Stats
from wembed.errors import WembedError
from wembed.metrics import kendall_tau
from wembed.prediction import COVERAGE, Examples, fit_predictor, learned_part
from wembed.prediction.intervals import Scores, conformal_quantile, runs_needed
from wembed.prediction.space import Space, Standardised, squared_distances

SNAPSHOTS = 3


def made_up(generator: np.random.Generator, runs: int, prefix: str, noise: float = 0.08) -> Examples:
    """Runs whose accuracy follows from two features, with noise that the snapshots of a run share."""
    vectors = generator.normal(size=(runs * SNAPSHOTS, 6))
    shared = np.repeat(generator.normal(0.0, noise, runs), SNAPSHOTS)
    targets = np.clip(0.6 + 0.2 * np.tanh(vectors[:, 0]) + 0.1 * np.sin(vectors[:, 1]) + shared, 0.0, 1.0)
    return Examples(vectors, targets, np.repeat([f"{prefix}{i}" for i in range(runs)], SNAPSHOTS))


@pytest.fixture(scope="module")
def sides() -> tuple[Examples, Examples, Examples]:
    generator = np.random.default_rng(0)
    return made_up(generator, 60, "train"), made_up(generator, 30, "validation"), made_up(generator, 60, "test")


def test_predictions_explain_runs_that_were_never_seen(sides):
    train, validation, test = sides
    found = fit_predictor(train, validation).predict(test.vectors)
    assert np.mean(np.square(found.values - test.targets)) < 0.5 * test.targets.var()
    assert ((found.low >= 0) & (found.low <= found.values) & (found.values <= found.high) & (found.high <= 1)).all()


def test_intervals_hold_the_truth_of_new_runs_as_often_as_they_say():
    shares = []
    for seed in range(12):
        generator = np.random.default_rng(seed)
        sides = [made_up(generator, runs, name, 0.15) for runs, name in ((30, "a"), (40, "b"), (60, "c"))]
        found = fit_predictor(*sides[:2], seed=seed).predict(sides[2].vectors)
        shares.append(np.mean((found.low <= sides[2].targets) & (sides[2].targets <= found.high)))
    assert COVERAGE - 0.02 < np.mean(shares) < COVERAGE + 0.07


@pytest.mark.parametrize("level", [0.5, 0.8])
def test_any_level_can_be_asked_for(level):
    shares = []
    for seed in range(12):
        generator = np.random.default_rng(100 + seed)
        sides = [made_up(generator, runs, name, 0.15) for runs, name in ((30, "a"), (40, "b"), (60, "c"))]
        found = fit_predictor(*sides[:2], seed=seed).predict(sides[2].vectors, level=level)
        shares.append(np.mean((found.low <= sides[2].targets) & (sides[2].targets <= found.high)))
    # 20 calibration runs: the coverage of one fit spreads by sqrt(level (1 - level) / 22), a mean of 12 by a quarter.
    spread = 3.0 * np.sqrt(level * (1.0 - level) / 22 / 12)
    assert level - spread < np.mean(shares) < level + 1 / 21 + spread


def test_intervals_are_wider_where_errors_are_larger():
    generator = np.random.default_rng(5)
    sides = []
    for name in "abc":
        vectors = generator.normal(size=(150, 4))
        noise = generator.normal(size=150) * np.where(vectors[:, 0] > 0, 0.15, 0.01)
        targets = np.clip(0.5 + 0.15 * np.tanh(2 * vectors[:, 0]) + noise, 0.0, 1.0)
        sides.append(Examples(vectors, targets, np.array([f"{name}{number}" for number in range(150)])))
    found = fit_predictor(*sides[:2]).predict(sides[2].vectors)
    widths, is_noisy = found.high - found.low, sides[2].vectors[:, 0] > 0.5
    assert np.median(widths[is_noisy]) > 2 * np.median(widths[sides[2].vectors[:, 0] < -0.5])


def test_a_constant_target_is_predicted_as_it_is(sides):
    same = [Examples(side.vectors, np.full(len(side.targets), 0.25), side.runs) for side in sides]
    found = fit_predictor(*same[:2]).predict(same[2].vectors)
    assert np.allclose(found.values, 0.25, atol=1e-6)
    assert (found.high - found.low < 0.01).all()


def test_principal_directions_keep_distances():
    vectors = np.random.default_rng(2).normal(size=(30, 200))  # more features than examples
    standardised, places = Standardised.of(vectors)(vectors), Space.of(vectors)(vectors)
    assert places.shape == (30, 29)
    assert np.allclose(squared_distances(places, places), squared_distances(standardised, standardised), atol=1e-6)


def test_quantile_by_hand():
    scores, weights = np.arange(1.0, 10.0), np.full(9, 1 / 9)
    assert conformal_quantile(scores, weights, 9, 0.9) == 9.0  # nine of ten, the tenth being the new run
    assert conformal_quantile(scores, weights, 9, 0.5) == 5.0
    assert conformal_quantile(scores, weights, 9, 0.95) == float("inf")


def test_a_run_of_many_snapshots_counts_as_one():
    targets, runs = np.zeros(6), np.array(["a", "a", "a", "a", "b", "c"])
    weights = Examples(np.zeros((6, 1)), targets, runs).weights()
    assert weights.tolist() == pytest.approx([1 / 12] * 4 + [1 / 3] * 2)


def test_few_calibration_runs_give_intervals_that_say_nothing(sides):
    train, validation, test = sides
    few = Examples(*(values[: 8 * SNAPSHOTS] for values in (validation.vectors, validation.targets, validation.runs)))
    found = fit_predictor(train, few).predict(test.vectors)
    assert (found.low == 0).all()
    assert (found.high == 1).all()


def test_what_is_far_from_all_training_examples_is_out_of_domain(sides):
    train, validation, test = sides
    predictor = fit_predictor(train, validation)
    assert predictor.predict(test.vectors).in_domain.mean() > 0.85
    assert predictor.predict(train.vectors).in_domain.all()
    assert not predictor.predict(test.vectors + 20.0).in_domain.any()


def test_shuffled_targets_leave_nothing_to_predict(sides):
    train, validation, test = sides
    taus = []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        shuffled = [Examples(e.vectors, generator.permutation(e.targets), e.runs) for e in (train, validation)]
        taus.append(kendall_tau(test.targets, fit_predictor(*shuffled).predict(test.vectors).values) or 0.0)
    assert abs(np.mean(taus)) < 3.0 * np.std(taus, ddof=1) / np.sqrt(6)
    honest = fit_predictor(train, validation).predict(test.vectors).values
    assert (kendall_tau(test.targets, honest) or 0.0) > 0.4


def test_the_same_seed_gives_the_same_predictions(sides):
    train, validation, test = sides
    first, second = (fit_predictor(train, validation, seed=3).predict(test.vectors) for _ in range(2))
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.low, second.low)


def test_scale_and_dead_features_change_nothing():
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    wide = np.hstack([vectors * [1.0, 1e-4, 1e5] + 7.0, np.full((20, 1), 0.3)])
    assert np.allclose(Standardised.of(vectors)(vectors), Standardised.of(wide)(wide), atol=1e-6)


def test_too_few_runs_are_refused(sides):
    train, validation, _ = sides
    few = Examples(*(values[: 9 * SNAPSHOTS] for values in (train.vectors, train.targets, train.runs)))
    with pytest.raises(WembedError, match=r"too few runs .*: found 9 independent training runs, expected 10 or more"):
        fit_predictor(few, validation)


def test_a_run_on_both_sides_is_refused(sides):
    train, _, _ = sides
    with pytest.raises(ValueError, match="run train0 is among training and validation runs"):
        fit_predictor(train, train)


def test_the_learned_part_leaves_the_signature_out():
    class Trained(Stats):
        module = SimpleNamespace(head=SimpleNamespace(length=2))

    vectors = np.array([[3.0, 4.0, 7.0], [0.0, 2.0, -1.0]])
    assert np.allclose(learned_part(Trained(), vectors), [[0.6, 0.8], [0.0, 1.0]])
    assert np.array_equal(learned_part(Stats(), vectors), vectors)


@pytest.mark.parametrize(("level", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_intervals_are_bounded_from_some_number_of_runs_on(level, needed):
    for runs in (needed - 1, needed):
        scores = Scores(np.ones(runs), np.full(runs, 1 / max(runs, 1)), runs)
        assert scores.is_bounded(level) == (runs >= runs_needed(level)) == np.isfinite(scores.quantile(level))
