"""Two evaluations of the same checkpoints beside each other."""

import dataclasses

import numpy as np
import pytest

from wembed.errors import NotFoundError, WembedError
from wembed.evaluate.prediction.compare import compare
from wembed.evaluate.results import Evaluation, Predicted, Result


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


def test_rows_say_where_they_come_from():
    told = Result("prediction", "gnn", "r2", 0.5, 1, "test", encoder_id="gnn-1")
    one, other = (dataclasses.replace(made(0.1), results=[told], facts={"data": "abc"}) for _ in range(2))
    row = found(one, other)["mae_difference"]
    assert (row.seed, row.encoder_id, row.data) == (0, "gnn-1 gnn-1", "abc")
    assert found(one, other, "stats-stats")["mae_difference"].encoder_id == "stats stats"


def test_predictions_without_families_are_refused():
    other = made(0.1)
    alone = [dataclasses.replace(point, family="") for point in other.predictions["gnn"]]
    with pytest.raises(WembedError, match="the second evaluation doesn't say which predictions are of one family"):
        compare(made(0.1), dataclasses.replace(other, predictions={"gnn": alone}))
