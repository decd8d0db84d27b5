"""Prediction of accuracy on held-out runs, and its controls."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate import evaluate, zoo_encoders
from wembed.evaluate.accuracy import shuffled_results, tau_within_cells
from wembed.evaluate.baselines import recipe
from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.foretell import foretell
from wembed.evaluate.material import gather


def test_what_is_known_orders_held_out_networks_better_than_chance(value):
    found = value("prediction", "hyperparameters", "tau")
    assert found.value > 3 * found.error > 0


def test_shuffled_labels_leave_a_tau_near_zero(material, value):
    everyone = np.ones(len(material.rows), dtype=bool)
    known = Vectors(recipe(material.rows), everyone)
    rows = shuffled_results(material, "known", known, material.side("test"), "test", seed=0)
    tau = next(row for row in rows if row.metric == "tau")
    assert tau.encoder == "known (shuffled labels)"
    assert abs(tau.value) < 3 * tau.error < value("prediction", "hyperparameters", "tau").value


def test_the_main_encoder_has_its_control(value):
    found = value("prediction", "fingerprint (shuffled labels)", "tau")
    assert abs(found.value) < 3 * found.error


def test_baselines_stand_beside_the_encoder(evaluation):
    rows = [row for row in evaluation.results if (row.task, row.metric) == ("prediction", "tau/tau_max")]
    assert {row.encoder for row in rows} == {"fingerprint", "stats", "hyperparameters"}


def test_tau_over_its_maximum(value):
    tau, most = (value("prediction", "stats", metric).value for metric in ("tau", "tau_max"))
    assert value("prediction", "stats", "tau/tau_max").value == pytest.approx(tau / most)
    assert 0.9 < most < 1


def test_predictions_are_of_test_checkpoints_only(evaluation, material):
    for name in ("fingerprint", "stats", "hyperparameters"):
        assert {material.splits[point.id] for point in evaluation.predictions[name]} == {"test"}
        assert {point.dataset for point in evaluation.zero_shot[name]} == {"breast_cancer"}
    for point in evaluation.predictions["fingerprint"]:
        assert 0 <= point.low <= point.value <= point.high <= 1


def test_the_sealed_data_set_has_its_own_task(value):
    assert value("zero-shot", "fingerprint", "mse", "zero-shot").n == 8


def test_predictions_do_not_depend_on_the_accuracies_of_test_runs(evaluation, changed, material):
    tests = {row.id for row in material.rows if material.splits[row.id] == "test"}
    zoo = changed(lambda row: dataclasses.replace(row, accuracy=0.5 if row.id in tests else row.accuracy))
    altered, everyone = gather(zoo, split_seed=0), np.ones(len(material.rows), dtype=bool)
    features = {"stats": Vectors(Statistics().embed(altered.items).astype(np.float64), everyone)}
    again = foretell(altered, features, material.rows[0].structure, seed=0)
    before = [point.value for point in evaluation.predictions["stats"]]
    assert [point.value for point in again.test["stats"]] == before


def test_without_hyperparameters_that_baseline_is_left_out(material):
    rows = [dataclasses.replace(row, hyperparameters={}) for row in material.rows]
    assert recipe(rows) is None
    assert recipe([dataclasses.replace(row, step=None) for row in material.rows]) is None
    assert recipe(material.rows).shape[0] == len(rows)


def test_the_recipe_holds_no_accuracy(material):
    rows = [dataclasses.replace(row, accuracy=0.1, loss=9.0, gap=0.3, train_accuracy=0.2) for row in material.rows]
    assert np.array_equal(recipe(rows), recipe(material.rows))


def test_statistics_keep_their_scale(material):
    norms = np.linalg.norm(Statistics().embed(material.items[:4]), axis=1)
    assert np.ptp(norms) > 1e-3


def test_tau_within_cells_ignores_what_differs_between_them(material):
    mask = material.where(lambda row: row.dataset == "wine")
    rows = [row for row, chosen in zip(material.rows, mask, strict=True) if chosen]
    steps = np.array([float(row.step) for row in rows])
    true = np.array([row.accuracy for row in rows])
    assert tau_within_cells(material, mask, steps) is None  # constant within every cell
    assert tau_within_cells(material, mask, true + 9.0 * steps) == pytest.approx(1.0)


def test_too_few_runs_are_a_fact_and_not_the_end(few):
    found = evaluate(few, zoo_encoders(few, ["stats"]))
    assert "too few runs with known accuracies" in found.facts["no prediction from stats"]
    taus = [row.value for row in found.results if (row.task, row.metric) == ("prediction", "tau")]
    assert taus
    assert set(taus) == {None}


def test_the_main_encoder_is_compared_with_every_other_on_the_same_draws(value):
    for other in ("stats", "hyperparameters"):
        found = value("accuracy", f"fingerprint-{other}", "tau_difference")
        shares = [value("prediction", name, "tau/tau_max").value for name in ("fingerprint", other)]
        assert found.value == pytest.approx(shares[0] - shares[1])
        low, high = (
            value("accuracy", f"fingerprint-{other}", f"tau_difference_{end}").value for end in ("low", "high")
        )
        assert low < found.value < high
        assert 0 <= value("accuracy", f"fingerprint-{other}", "tau_difference_above_0").value <= 1
