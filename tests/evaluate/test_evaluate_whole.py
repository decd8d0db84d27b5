"""A whole evaluation: repeatable, told about, and refused where it would not be fair."""

import dataclasses
import json

import numpy as np
import pytest

from wembed.encoder import Fingerprint, Stats, save_encoder
from wembed.encoder.base import unit_rows
from wembed.errors import NotFoundError, UsageError, WembedError
from wembed.evaluate import EvaluateOptions, evaluate, zoo_encoders
from wembed.evaluate.retrieval.copies import snapshot_task


@pytest.fixture
def trained(changed):
    """A zoo with an encoder whose config says how it was trained."""

    def make(**trainings: dict[str, object]):
        zoo = changed(lambda row: row)
        for name, training in trainings.items():
            save_encoder(Stats(), zoo.root / "encoders" / name, training)
        return zoo

    return make


def test_two_evaluations_with_one_seed_agree_to_the_last_bit(zoo, evaluation):
    again = evaluate(zoo, zoo_encoders(zoo))
    for part in dataclasses.fields(evaluation):
        assert getattr(again, part.name) == getattr(evaluation, part.name)


def test_another_seed_asks_other_questions(material):
    draws = (snapshot_task(material, seed).draws[0] for seed in (0, 0, 1))
    same, again, other = (copies[0][0].read("0.weight") for copies in draws)
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_the_map_shows_checkpoints_of_all_sides(evaluation, material):
    assert {material.splits[point.id] for point in evaluation.map} == {"train", "validation", "test", "zero-shot"}
    assert np.isfinite([[point.x, point.y] for point in evaluation.map]).all()


def test_facts_are_json(evaluation):
    assert json.loads(json.dumps(evaluation.facts))["runs by split"]["zero-shot"] == 4


def test_progress_never_falls_back_and_ends(few):
    told = []
    evaluate(few, zoo_encoders(few, ["stats"]), progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1


def test_several_seeds_give_means_and_spreads(few):
    found = evaluate(few, zoo_encoders(few, ["stats"]), EvaluateOptions(seeds=2, map_points=0, tasks=("retrieval",)))
    rows = {(row.task, row.metric): row for row in found.results if row.split == "test" and row.encoder == "stats"}
    noised = rows["retrieval-noised", "mrr"]
    assert noised.seeds == 2
    assert noised.spread is not None
    assert (rows["retrieval-snapshot", "mrr"].seeds, rows["retrieval-snapshot", "mrr"].spread) == (1, None)
    assert found.facts["seeds"] == 2


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("retrieval", {"retrieval", "retrieval-noised", "retrieval-snapshot"}),
        ("invariance", {"invariance"}),
        ("robustness", {"robustness"}),
        ("merging", {"merging"}),
    ],
)
def test_a_task_alone_has_no_rows_of_others(few, task, told):
    found = evaluate(few, zoo_encoders(few, ["stats"]), EvaluateOptions(map_points=0, tasks=(task,)))
    assert {row.task for row in found.results} == told
    assert found.map == []


def test_an_unknown_task_is_refused():
    with pytest.raises(UsageError, match="no task named 'search'") as caught:
        EvaluateOptions(tasks=("search",))
    assert caught.value.hint == "known are retrieval, prediction, merging, invariance, robustness"


def test_encoders_of_the_zoo_come_first_and_the_main_one_before_them(trained):
    zoo = trained(other={"split_seed": 0, "runs": []}, gnn={"split_seed": 0, "runs": []})
    assert list(zoo_encoders(zoo)) == ["gnn", "other", "fingerprint", "stats"]
    assert list(zoo_encoders(zoo, ["stats", "other"])) == ["stats", "other"]


def test_an_encoder_of_one_shape_is_measured_on_that_shape(zoo, material):
    class OneShape:
        name, id, dimension = "mlp", "mlp-1", 4
        structure = material.rows[0].structure

        def embed(self, items):
            rows = [[item[0].read(name).sum() for name in item[1].tensors] for item in items]
            assert all(len(row) == 4 for row in rows)
            return unit_rows(np.array(rows, dtype=np.float64))

    found = evaluate(zoo, {"mlp": OneShape(), **zoo_encoders(zoo, ["stats"])})
    values = {(r.task, r.metric, r.split): r.value for r in found.results if r.encoder == "mlp"}
    for task, metric in (("retrieval-snapshot", "recall@1"), ("prediction", "tau"), ("prediction", "mse")):
        assert values[task, metric, "test"] is None
        assert values[task, metric, "test:wine-mlp-relu-8"] is not None
    assert "mlp" not in found.predictions


def test_the_split_is_the_one_that_encoders_were_trained_with(few):
    save_encoder(Stats(), few.root / "encoders" / "known", {"split_seed": 3, "runs": ["elsewhere"]})
    found = evaluate(few, zoo_encoders(few, ["known"]))
    assert (found.facts["seed"], found.facts["split seed"]) == (0, 3)


def test_encoders_of_different_splits_are_refused(trained):
    zoo = trained(a={"split_seed": 0, "runs": []}, b={"split_seed": 1, "runs": []})
    with pytest.raises(WembedError, match="encoders were trained with different splits, a with 0 and b with 1"):
        evaluate(zoo, zoo_encoders(zoo))


def test_an_encoder_that_was_trained_on_test_runs_is_refused(trained, material):
    run = next(row.run for row in material.rows if material.splits[row.id] == "test")
    zoo = trained(a={"split_seed": 0, "runs": [run]})
    with pytest.raises(WembedError, match=f"encoder a was trained on run {run}, which is a test run here"):
        evaluate(zoo, zoo_encoders(zoo))


def test_a_training_that_does_not_say_on_what_is_refused(trained):
    zoo = trained(a={"split_seed": 0})
    with pytest.raises(WembedError, match="does not say with which split and on which runs it was trained"):
        evaluate(zoo, zoo_encoders(zoo))


def test_a_zoo_without_test_runs_is_refused(changed):
    zoo = changed(lambda row: row if row.dataset == "breast_cancer" else None)
    with pytest.raises(NotFoundError, match="nothing to evaluate on: found 4 runs, none of them held out"):
        evaluate(zoo, zoo_encoders(zoo))


def test_an_empty_zoo_is_refused(changed):
    zoo = changed(lambda row: None)
    with pytest.raises(NotFoundError, match="holds nothing to evaluate on"):
        evaluate(zoo, zoo_encoders(zoo))


def test_every_result_says_what_it_depends_on(evaluation, material):
    assert {(row.seed, row.data) for row in evaluation.results} == {(0, material.hash)}
    ids = {row.encoder: row.encoder_id for row in evaluation.results}
    main, stats = Fingerprint().id, Stats().id
    assert ids["fingerprint"] == ids["fingerprint (shuffled labels)"] == main
    assert ids["fingerprint-stats"] == f"{main} {stats}"
    assert ids["fingerprint-hyperparameters"] == f"{main} hyperparameters"
    assert ids["naive"] == ids["hyperparameters"] == ""
