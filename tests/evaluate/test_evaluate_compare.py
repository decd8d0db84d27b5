"""Two evaluations of the same checkpoints beside each other."""

import dataclasses

import numpy as np
import pytest

from wembed.errors import NotFoundError
from wembed.evaluate.prediction.compare import compare
from wembed.evaluate.results import Evaluation, Predicted


def made(noise: float, main: str = "gnn", count: int = 120) -> Evaluation:
    """Predictions that err by so much, of runs of three snapshots each."""
    generator = np.random.default_rng(0)
    true = generator.random(count)
    values = true + generator.normal(0, noise, count)
    points = [
        Predicted(f"c{number}", "digits", float(true[number]), float(values[number]), 0.0, 1.0, True, f"f{number // 3}")
        for number in range(count)
    ]
    return Evaluation([], {main: points, "stats": points}, facts={"main encoder": main})


def found(first: Evaluation, second: Evaluation, name: str = "gnn-gnn") -> dict:
    return {row.metric: row for row in compare(first, second) if row.encoder == name}


def test_the_better_of_two_is_above_on_all_draws():
    rows = found(made(0.05), made(0.3))
    assert rows["tau_difference"].low > 0
    assert rows["tau_difference_above_0"].value == 1
    assert rows["mae_difference"].high < 0
    assert rows["r2_difference"].low > 0


def test_an_evaluation_is_no_better_than_itself():
    rows = found(made(0.1), made(0.1))
    assert {rows[name].value for name in ("tau_difference", "mae_difference", "r2_difference")} == {0}
    assert (rows["tau_difference"].low, rows["tau_difference"].high) == (0, 0)


def test_main_encoders_of_other_names_are_compared_too():
    names = {row.encoder for row in compare(made(0.1), made(0.2, main="mine"))}
    assert names == {"gnn-mine", "stats-stats"}


def test_only_checkpoints_that_both_predicted_count():
    assert found(made(0.1), made(0.1, count=60))["tau_difference"].n == 60


def test_evaluations_of_other_zoos_are_refused():
    other = made(0.1)
    renamed = [dataclasses.replace(point, id=f"other {point.id}") for point in other.predictions["gnn"]]
    with pytest.raises(NotFoundError, match="no predictions of the same checkpoints") as caught:
        compare(made(0.1), dataclasses.replace(other, predictions={"gnn": renamed}))
    assert caught.value.hint == "evaluate the same zoo twice, with one --seed"


def test_checkpoints_of_one_id_and_other_accuracies_are_not_the_same():
    other = made(0.1)
    changed = [dataclasses.replace(point, true=0.5) for point in other.predictions["gnn"]]
    with pytest.raises(NotFoundError, match="nothing to compare"):
        compare(made(0.1), dataclasses.replace(other, predictions={"gnn": changed}))
