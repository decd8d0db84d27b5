"""The retrieval protocols: who asks, who may be found, and what encoders make of it."""

import numpy as np

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.retrieval import Answers, noised_task, retrieval_results, snapshot_task

SHAPE = "test:wine-mlp-relu-8"


def test_snapshots_of_test_runs_look_for_the_end_of_their_own_run(material):
    task = snapshot_task(material, seed=0)
    for origin, relevant in zip(task.origins, task.relevant, strict=True):
        first, last = material.rows[origin], material.rows[relevant]
        assert (first.run, first.step, last.step) == (last.run, 6, 24)
        assert material.splits[first.id] == "test"
    assert task.gallery.sum() == 64  # of all runs, whatever their side
    assert len(task.origins) == len({material.rows[place].run for place in task.origins})


def test_noised_copies_look_for_their_originals_in_the_whole_zoo(material):
    task = noised_task(material, seed=0)
    assert task.origins == task.relevant == np.flatnonzero(material.side("test")).tolist()
    assert task.gallery.all()


def test_ranks_come_from_the_gallery_alone(material):
    """Vectors that point at the right answer find it; vectors that point at a fixed wrong one do not."""
    task = snapshot_task(material, seed=0)
    count = len(material.rows)
    gallery = Vectors(np.eye(count), np.ones(count, dtype=bool))
    everyone = np.ones(len(task.origins), dtype=bool)
    right, wrong = np.eye(count)[task.relevant], np.eye(count)[[task.relevant[0]] * len(task.relevant)]
    answers = {
        "right": Answers(gallery, Vectors(right, everyone)),
        "wrong": Answers(gallery, Vectors(wrong, everyone)),
    }
    structure = material.rows[0].structure
    rows = list(retrieval_results(material, task, answers, structure, "shape"))
    found = {(row.encoder, row.metric): row.value for row in rows if row.split == "test"}
    assert found["right", "recall@1"] == found["right", "mrr"] == 1.0
    assert found["wrong", "recall@1"] == 1 / len(task.origins)
    assert found["wrong", "recall@10"] == 1 / len(task.origins)  # all other scores tie, and ties stand before


def test_permutation_invariant_encoders_find_noised_copies(value):
    for encoder in ("fingerprint", "stats"):
        assert value("retrieval-noised", encoder, "recall@1").value > 0.95


def test_raw_weights_lose_their_way_when_neurons_are_shuffled(value):
    for task in ("retrieval-noised", "retrieval-snapshot"):
        assert value(task, "cosine", "recall@1").value is None  # of all shapes
        raw = value(task, "cosine", "mrr", SHAPE).value
        assert raw < value(task, "fingerprint", "mrr", SHAPE).value - 0.1


def test_one_shape_has_a_row_for_everyone(evaluation, value):
    rows = [row for row in evaluation.results if row.split == SHAPE and row.metric == "recall@1"]
    assert {row.encoder for row in rows} == {"fingerprint", "stats", "cosine"}
    assert value("retrieval-noised", "stats", "recall@1", SHAPE).n < value("retrieval-noised", "stats", "recall@1").n


def test_strangers_are_counted(evaluation):
    facts = evaluation.facts["retrieval-snapshot"]
    assert facts["strangers of the same configuration per query, least"] == 11
    assert facts["strangers of the same configuration per query, median"] == 47


def test_recall_by_step_stands_beside_that_of_all(value):
    early = value("retrieval-noised", "stats", "recall@1 step 6")
    late = value("retrieval-noised", "stats", "recall@1 step 24")
    assert early.n + late.n == value("retrieval-noised", "stats", "recall@1").n
