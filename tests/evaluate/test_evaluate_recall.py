"""Rows of a retrieval task: kinds of queries, several right answers, seeds."""

import numpy as np
import pytest

from wembed.evaluate.retrieval.recall import LEAST_OF_KIND, Ranks, RecallRows
from wembed.evaluate.retrieval.tasks import Task


def task(labels, relevant=None):
    count = len(labels)
    right = np.eye(count, dtype=bool) if relevant is None else np.array(relevant, bool)
    everything = np.ones_like(right)
    groups = np.arange(count).astype(str)
    return Task("retrieval-x", list(range(count)), np.arange(count), right, everything, [], groups, labels)


def rows(asked, **first):
    """Encoder -> ranks of the first right answers, for each seed."""
    ranks = {name: Ranks(np.array(own), 1.0 / np.array(own)) for name, own in first.items()}
    found = RecallRows(asked, "test", 0).of(ranks)
    return {(row.encoder, row.metric): row for row in found.results}


def test_a_kind_of_queries_has_a_row_where_there_are_enough():
    labels = [("pruned",)] * LEAST_OF_KIND + [("noise",)] * (LEAST_OF_KIND - 1)
    found = rows(task(labels), a=[[1] * len(labels)])
    assert found["a", "recall@1 pruned"].n == LEAST_OF_KIND
    assert ("a", "recall@1 noise") not in found


def test_kinds_stand_in_the_order_of_their_numbers():
    labels = [(f"step {step}",) for step in (1000, 80, 300) for _ in range(LEAST_OF_KIND)]
    found = rows(task(labels), a=[[1] * len(labels)])
    steps = [metric for _, metric in found if metric.startswith("recall@1 step")]
    assert steps == ["recall@1 step 80", "recall@1 step 300", "recall@1 step 1000"]


def test_seeds_are_averaged_and_their_spread_is_told():
    found = rows(task([()] * 4), a=[[1, 1, 1, 1], [1, 1, 2, 2]])["a", "recall@1"]
    assert (found.value, found.seeds, found.n) == (0.75, 2, 4)
    assert found.spread == pytest.approx(np.std([1.0, 0.5], ddof=1))


def test_precision_is_told_where_several_answers_are_right():
    several = rows(task([()] * 2, [[1, 1], [0, 1]]), a=[[1, 2]])
    assert ("a", "map") in several
    assert ("a", "map") not in rows(task([()] * 2), a=[[1, 2]])


def test_what_does_not_know_all_shapes_has_rows_without_values():
    asked = task([()] * 2)
    found = RecallRows(asked, "test", 0).of({"a": Ranks(np.ones((1, 2), int), np.ones((1, 2))), "b": None})
    assert {row.value for row in found.results if row.encoder in ("b", "a-b")} == {None}
    assert {curve.encoder for curve in found.curves} == {"a"}
