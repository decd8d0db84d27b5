"""The retrieval protocols: who asks, who may be found, and what encoders make of it."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.retrieval.answers import Answers, retrieval_results
from wembed.evaluate.retrieval.copies import noised_task, snapshot_task
from wembed.evaluate.retrieval.recall import DEPTHS
from wembed.evaluate.retrieval.tasks import chosen_queries

SHAPE = "test:wine-mlp-relu-8"
FEW = f"{SHAPE}/18"  # that are aligned pair by pair


@pytest.fixture
def answered(material):
    """Rows of the snapshot task: vectors that point at the right answer, and vectors that point at a wrong one."""
    task = snapshot_task(material, seed=0)
    count, asking = len(material.rows), len(task.origins)
    gallery, everyone = Vectors(np.eye(count), np.ones(count, dtype=bool)), np.ones(asking, dtype=bool)
    right = task.relevant.astype(float)
    wrong = np.repeat(right[:1], asking, axis=0)
    answers = {
        "right": Answers(gallery, [Vectors(right, everyone)]),
        "wrong": Answers(gallery, [Vectors(wrong, everyone)]),
    }
    return retrieval_results(material, task, answers, material.rows[0].structure, seed=0)


@pytest.fixture
def row(answered):
    """One row over all queries."""

    def find(encoder: str, metric: str):
        named = (encoder, metric, "test")
        (found,) = [r for r in answered.results if (r.encoder, r.metric, r.split) == named]
        return found

    return find


def test_snapshots_of_test_runs_look_for_the_end_of_their_own_run(material):
    task = snapshot_task(material, seed=0)
    for origin, relevant in zip(task.origins, task.relevant, strict=True):
        (found,) = np.flatnonzero(relevant)
        first, last = material.rows[origin], material.rows[found]
        assert (first.run, first.step, last.step) == (last.run, 6, 24)
        assert material.splits[first.id] == "test"
    assert (task.candidates.sum(1) == 64).all()  # of all runs, whatever their side
    assert len(task.origins) == len({material.rows[place].run for place in task.origins})


def test_noised_copies_look_for_their_originals_in_the_whole_zoo(material):
    task = noised_task(material, seeds=[0])
    assert task.origins == np.flatnonzero(material.side("test")).tolist()
    assert np.array_equal(np.argmax(task.relevant, axis=1), task.origins)
    assert task.candidates.all()


def test_noise_is_drawn_once_for_each_seed(material):
    first, second = noised_task(material, seeds=[0, 1]).draws
    assert not np.array_equal(first[0][0].read("0.weight"), second[0][0].read("0.weight"))


def test_ranks_come_from_the_candidates_alone(row, material):
    count = row("right", "recall@1").n
    assert row("right", "recall@1").value == row("right", "mrr").value == 1.0
    assert row("wrong", "recall@1").value == 1 / count
    assert row("wrong", "recall@10").value == 1 / count  # all other scores tie, and ties stand before


def test_chance_stands_beside_them(row):
    assert row("chance", "recall@1").value == pytest.approx(1 / 64)
    assert row("chance", "recall@10").value == pytest.approx(10 / 64)


def test_the_first_is_compared_with_every_other_on_the_same_queries(row):
    found = row("right-wrong", "recall@1_difference")
    assert (found.task, found.target) == ("retrieval", "retrieval-snapshot")
    assert found.value == pytest.approx(1 - 1 / found.n)
    assert 0 < found.low < found.value <= found.high


def test_curves_say_how_deep_one_has_to_look(answered):
    curves = {curve.encoder: curve for curve in answered.curves if curve.split == "test"}
    assert curves["right"].depths == DEPTHS
    assert curves["right"].values == (1.0,) * len(DEPTHS)
    assert max(curves["wrong"].values) < 0.1


def test_too_many_queries_are_thinned_out_in_their_order():
    found = chosen_queries(np.arange(50), np.random.default_rng(0), most=20)
    assert len(set(found)) == 20
    assert found == sorted(found)


def test_permutation_invariant_encoders_find_noised_copies(value):
    for encoder in ("fingerprint", "stats"):
        assert value("retrieval-noised", encoder, "recall@1").value > 0.95


def test_raw_weights_lose_their_way_when_neurons_are_shuffled(value):
    for task in ("retrieval-noised", "retrieval-snapshot"):
        assert value(task, "cosine", "recall@1").value is None  # of all shapes
        raw = value(task, "cosine", "mrr", SHAPE).value
        assert raw < value(task, "fingerprint", "mrr", SHAPE).value - 0.1


def test_one_shape_has_a_row_for_everyone(evaluation, value):
    tasks = ("retrieval-noised", "retrieval-snapshot")
    rows = [r for r in evaluation.results if r.split == SHAPE and r.metric == "recall@1" and r.task in tasks]
    assert {row.encoder for row in rows} == {"fingerprint", "stats", "cosine", "chance"}
    assert value("retrieval-noised", "stats", "recall@1", SHAPE).n < value("retrieval-noised", "stats", "recall@1").n


def test_strangers_are_counted(evaluation):
    facts = evaluation.facts["retrieval-snapshot"]
    assert facts["strangers of the same configuration per query, least"] == 11
    assert facts["strangers of the same configuration per query, median"] == 47


def test_recall_by_step_stands_beside_that_of_all(value):
    early = value("retrieval-noised", "stats", "recall@1 step 6")
    late = value("retrieval-noised", "stats", "recall@1 step 24")
    assert early.n + late.n == value("retrieval-noised", "stats", "recall@1").n


def test_alignment_finds_runs_that_raw_weights_do_not(value):
    """All on the same few queries of one shape."""
    assert value("retrieval-snapshot", "alignment", "recall@1", FEW).value > 0.9
    assert value("retrieval-snapshot", "cosine", "recall@1", FEW).value < 0.5
    assert value("retrieval-snapshot", "alignment", "recall@1", FEW).n == 18
    assert value("retrieval-snapshot", "chance", "recall@1", FEW).value == pytest.approx(1 / 24)


def test_intervals_hold_their_values(evaluation):
    rows = [row for row in evaluation.results if row.task.startswith("retrieval") and row.low is not None]
    assert rows
    assert all(row.low <= row.value <= row.high for row in rows)


def test_children_of_a_run_do_not_stand_in_its_way(material):
    """They may be copies of the right answer, which nothing can tell from it."""
    parent = next(row for row in material.rows if row.step == 24 and material.splits[row.id] == "test")
    places = {row.id: place for place, row in enumerate(material.rows)}
    stranger = next(row for row in material.rows if row.run != parent.run and material.splits[row.id] == "test")
    kin = [
        dataclasses.replace(row, parent=parent.id, run=None) if row.run == stranger.run else row
        for row in material.rows
    ]
    changed = dataclasses.replace(material, rows=kin)
    for task in (noised_task(changed, seeds=[0]), snapshot_task(changed, seed=0)):
        asks = next(number for number, place in enumerate(task.origins) if kin[place].run == parent.run)
        assert not task.candidates[asks, places[stranger.id]]
        assert task.candidates[asks, places[parent.id]]


def test_queries_that_can_find_nothing_wrong_do_not_count(material):
    task = snapshot_task(material, seed=0)
    candidates = np.where(np.arange(len(task.origins))[:, None] < 5, task.relevant, task.candidates)
    everything = np.ones(len(material.rows), dtype=bool)
    assert dataclasses.replace(task, candidates=candidates).among(everything).origins == task.origins[5:]
    alone = dataclasses.replace(task, candidates=task.relevant)
    assert retrieval_results(material, alone, {}, material.rows[0].structure, seed=0).results == []
