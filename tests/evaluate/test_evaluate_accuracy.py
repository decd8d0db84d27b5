"""Prediction of accuracy on held-out runs, and its controls."""

import dataclasses
import json
from hashlib import sha256

import numpy as np
import pytest

from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.material import gather
from wembed.evaluate.prediction.accuracy import prediction_results, sample_of
from wembed.evaluate.prediction.draws import draw_groups, measure_tau_within
from wembed.evaluate.prediction.fits import Fitting, fit
from wembed.evaluate.prediction.foretell import foretell
from wembed.evaluate.prediction.targets import numeric_truths
from wembed.prediction import TooFewRunsError, fit_predictor

KNOWN_BEFORE = {"hyperparameters", "name and config", "width"}


@pytest.fixture(scope="module")
def stats(material) -> Vectors:
    everyone = np.ones(len(material.rows), dtype=bool)
    return Vectors(Statistics().embed(material.items).astype(np.float64), everyone)


def test_what_is_known_orders_held_out_networks_better_than_chance(foretold_value):
    found = foretold_value("prediction", "hyperparameters", "tau")
    assert found.value > 3 * found.error > 0
    assert 0 < found.low < found.value < found.high


def test_a_width_alone_orders_nothing_within_one_shape(foretold_value, foretold):
    split = next(row.split for row in foretold.results if row.split.startswith("test:"))
    assert foretold_value("prediction", "width", "tau", split).value is None
    assert foretold_value("prediction", "width", "mse", split).value > 0


def test_baselines_stand_beside_the_encoder(foretold):
    rows = [row for row in foretold.results if (row.task, row.metric) == ("prediction", "tau/tau_max")]
    assert {row.encoder for row in rows if row.split == "test"} == {"fingerprint", "stats"} | KNOWN_BEFORE


def test_tau_over_its_maximum(foretold_value):
    tau, most = (foretold_value("prediction", "stats", metric).value for metric in ("tau", "tau_max"))
    assert foretold_value("prediction", "stats", "tau/tau_max").value == pytest.approx(tau / most)
    assert 0.9 < most < 1


def test_predictions_are_of_test_checkpoints_only(foretold, material):
    for name in ("fingerprint", "stats", *KNOWN_BEFORE):
        assert {material.splits[point.id] for point in foretold.test[name]} == {"test"}
        assert {point.dataset for point in foretold.zero_shot[name]} == {"breast_cancer"}
    for point in foretold.test["fingerprint"]:
        assert 0 <= point.low <= point.value <= point.high <= 1


def test_single_predictions_say_which_lie_out_of_domain(foretold, foretold_value):
    for split, points in (("test", foretold.test), ("zero-shot", foretold.zero_shot)):
        task = "zero-shot" if split == "zero-shot" else "prediction"
        share = np.mean([point.in_domain for point in points["stats"]])
        assert foretold_value(task, "stats", "in_domain", split).value == pytest.approx(share, abs=0.2)


def test_the_sealed_data_set_has_its_own_task(foretold_value):
    assert foretold_value("zero-shot", "fingerprint", "mse", "zero-shot").n == 8


def test_predictions_do_not_depend_on_the_accuracies_of_test_runs(material, stats):
    truth, how = numeric_truths(material.rows)[0], Fitting((0,), np.ones(len(material.rows), dtype=bool))
    altered = dataclasses.replace(truth, values=np.where(material.side("test"), 0.5, truth.values))
    before, after = (fit(material, stats, each, how) for each in (truth, altered))
    assert np.array_equal(before.values, after.values)
    assert np.array_equal(before.low, after.low)


def test_several_seeds_are_averaged_and_their_spread_is_told(foretold_value):
    found = foretold_value("prediction", "stats", "tau")
    assert (found.seeds, found.spread > 0) == (2, True)


def test_one_seed_has_no_spread(material, stats):
    truth = numeric_truths(material.rows)[0]
    fitted = fit(material, stats, truth, Fitting((0,), np.ones(len(material.rows), dtype=bool)))
    rows = list(prediction_results("stats", fitted, sample_of(material, truth, material.side("test"), "test", 0)))
    assert {(row.seeds, row.spread) for row in rows} == {(1, None)}


def test_other_seeds_choose_and_calibrate_on_other_halves(material, stats, monkeypatch):
    names = []
    monkeypatch.setattr(
        "wembed.evaluate.prediction.fits.fit_predictor",
        lambda *given: names.append(given[1].runs) or fit_predictor(*given),
    )
    target, everyone = numeric_truths(material.rows)[0], np.ones(len(material.rows), dtype=bool)
    fit(material, stats, target, Fitting((0, 1, 2), everyone))
    halves = {tuple(np.argsort([sha256(str(name).encode()).digest() for name in runs])) for runs in names}
    assert len(halves) == 3


def test_a_number_below_zero_can_be_predicted(material, stats):
    drawn = np.random.default_rng(0).uniform(-0.5, 0.0, len(material.rows))
    rows = [dataclasses.replace(row, gap=float(gap)) for row, gap in zip(material.rows, drawn, strict=True)]
    (target,) = (truth for truth in numeric_truths(rows) if truth.target == "gap")
    found = fit(material, stats, target, Fitting((0,), np.ones(len(rows), dtype=bool)))
    assert -0.5 < found.values[0, found.known].mean() < 0.0
    assert (found.low >= -1).all()


def test_what_is_not_known_of_any_checkpoint_is_no_target(material):
    assert [truth.target for truth in numeric_truths(material.rows)] == ["accuracy"]


def test_an_encoder_that_does_not_know_all_has_rows_without_values(material, stats):
    target, everyone = numeric_truths(material.rows)[0], np.ones(len(material.rows), dtype=bool)
    some = Vectors(stats.values, material.where(lambda row: row.structure == material.rows[0].structure))
    fitted = fit(material, some, target, Fitting((0,), everyone))
    sample = sample_of(material, target, material.side("test"), "test", 0)
    rows = list(prediction_results("mlp", fitted, sample))
    assert {row.value for row in rows} == {None}
    assert {"tau", "r2"} <= {row.metric for row in rows}


def test_statistics_keep_their_scale(material):
    norms = np.linalg.norm(Statistics().embed(material.items[:4]), axis=1)
    assert np.ptp(norms) > 1e-3


def test_tau_within_cells_ignores_what_differs_between_them(material):
    target = numeric_truths(material.rows)[0]
    sample = sample_of(material, target, material.where(lambda row: row.dataset == "wine"), "test", 0)
    steps = np.array([float(row.step) for row in material.rows])[sample.mask]

    def within(values):
        return measure_tau_within(sample.true, values[None], sample.cells, sample.draws)

    assert within(steps) is None  # constant within every cell
    assert within(sample.true + 9.0 * steps).value == pytest.approx(1.0)


def test_tau_within_cells_has_an_interval_of_its_own():
    generator = np.random.default_rng(0)
    true, cells = generator.random(80), [np.arange(40), np.arange(40, 80)]
    draws = draw_groups(np.tile(np.arange(40), 2).astype(str), generator)
    found = measure_tau_within(true, (true + generator.normal(0, 0.3, 80))[None], cells, draws)
    low, high = found.interval
    assert low < found.value < high


def test_too_few_runs_are_a_fact_and_not_the_end(few):
    material = gather(few, split_seed=0)
    features = {"stats": Vectors(np.ones((len(material.rows), 1)), np.ones(len(material.rows), dtype=bool))}
    found = foretell(material, features, material.rows[0].structure, 0)
    assert "too few runs with known accuracies" in found.facts["no prediction from stats"]
    taus = [row.value for row in found.results if (row.task, row.metric) == ("prediction", "tau")]
    assert taus
    assert set(taus) == {None}


def test_the_main_encoder_is_compared_with_every_other_on_the_same_draws(foretold_value):
    for other in ("stats", *KNOWN_BEFORE):
        found = foretold_value("accuracy", f"fingerprint-{other}", "tau_difference")
        shares = [foretold_value("prediction", name, "tau/tau_max").value for name in ("fingerprint", other)]
        assert found.value == pytest.approx(shares[0] - shares[1])
        assert found.low < found.value < found.high
        low, high = (
            foretold_value("accuracy", f"fingerprint-{other}", f"tau_difference_{end}").value for end in ("low", "high")
        )
        assert (low, high) == (found.low, found.high)
        assert 0 <= foretold_value("accuracy", f"fingerprint-{other}", "tau_difference_above_0").value <= 1


def test_two_fits_with_one_seed_agree_to_the_last_bit(material, stats):
    truth, how = numeric_truths(material.rows)[0], Fitting((3, 4), np.ones(len(material.rows), dtype=bool))
    first, second = (fit(material, stats, truth, how) for _ in range(2))
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.high, second.high)


def test_facts_are_json(foretold):
    assert json.loads(json.dumps(foretold.facts))["fits per prediction"] == 2


def test_children_stand_on_the_side_of_their_parents_in_every_fit(material, stats, monkeypatch):
    """A child on the other half of the validation runs would vouch for intervals that its parent chose."""
    parent = next(row for row in material.rows if material.splits[row.id] == "validation")
    kin = [
        dataclasses.replace(row, parent=parent.id) if material.splits[row.id] == "validation" else row
        for row in material.rows
    ]
    found = []
    monkeypatch.setattr(
        "wembed.evaluate.prediction.fits.fit_predictor", lambda *given: found.append(given[1]) or fit_predictor(*given)
    )
    truth, how = numeric_truths(kin)[0], Fitting((0, 1), np.ones(len(kin), dtype=bool))
    with pytest.raises(TooFewRunsError, match="found 1 independent validation runs, expected 4 or more"):
        fit(dataclasses.replace(material, rows=kin), stats, truth, how)
    assert [side.run_count for side in found] == [1]
