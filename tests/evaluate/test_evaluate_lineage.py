"""Children look for their parents: who asks, and who stands in the gallery."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.retrieval.lineage import KIN, LINEAGE, lineage_tasks


@pytest.fixture
def tasks(material):
    """The last snapshot of every run as a child of its first; every second child as a parent of the next one, too."""
    rows = []
    for row in material.rows:
        child = dataclasses.replace(row, init_id="twins" if row.id == material.rows[0].id else None)
        if row.step == 24:
            parent = row.id.replace("step24", "step6")
            child = dataclasses.replace(child, run=f"{row.run} child", parent=parent, derivation="pruned", change=0.05)
        rows.append(child)
    return {task.name: task for task in lineage_tasks(dataclasses.replace(material, rows=rows), seed=0)}


def test_children_of_test_families_ask_for_their_parents(tasks, material):
    task = tasks[LINEAGE]
    assert task.origins
    for place, right in zip(task.origins, task.relevant, strict=True):
        (found,) = np.flatnonzero(right)
        assert material.splits[material.rows[place].id] == "test"
        assert material.rows[found].id == material.rows[place].id.replace("step24", "step6")


def test_a_child_does_not_find_itself(tasks):
    for task in tasks.values():
        assert not task.candidates[np.arange(len(task.origins)), task.origins].any()


def test_queries_say_how_they_were_made_and_how_far_they_moved(tasks):
    assert set(tasks[LINEAGE].labels) == {("pruned", "moved 0.03 to 0.1")}


def test_without_kin_the_parent_is_the_only_relative(tasks, material):
    task = tasks[LINEAGE]
    runs = np.array([row.run for row in material.rows])
    for place, among in zip(task.origins, task.candidates, strict=True):
        assert (among & (runs == runs[place])).sum() == 1
        assert among.sum() == len(runs) - 1
    assert (tasks[KIN].candidates.sum(1) == len(runs) - 1).all()


def test_a_grandparent_is_kin_and_a_twin_is_not(material):
    first, second, third, twin = material.rows[:4]
    ids = [row.id for row in (first, second, third, twin)]
    splits = material.splits | dict.fromkeys(ids, "test")
    rows = [
        dataclasses.replace(first, run=None, init_id="one"),
        dataclasses.replace(second, run=None, parent=first.id),
        dataclasses.replace(third, run=None, parent=second.id),
        dataclasses.replace(twin, run=None, init_id="one"),
    ]
    few = dataclasses.replace(material, rows=rows, items=material.items[:4], splits=splits)
    without, among = lineage_tasks(few, seed=0)
    asks = without.origins.index(2)
    assert without.candidates[asks].tolist() == [False, True, False, True]
    assert among.candidates[asks].tolist() == [True, True, False, True]


def test_a_merge_may_find_either_of_its_parents(material):
    rows = [dataclasses.replace(row, run=None) for row in material.rows[:4]]
    rows[3] = dataclasses.replace(rows[3], parent=rows[0].id, other_parent=rows[1].id, derivation="merged")
    splits = dict.fromkeys([row.id for row in rows], "test")
    few = dataclasses.replace(material, rows=rows, items=material.items[:4], splits=splits)
    task, _ = lineage_tasks(few, seed=0)
    assert task.relevant.tolist() == [[True, True, False, False]]


def test_a_zoo_without_parents_asks_for_none(material):
    assert lineage_tasks(material, seed=0) == []


@pytest.mark.parametrize("change", [float("nan"), float("inf"), -1.0])
def test_a_change_that_can_not_be_is_not_told(material, change):
    rows = [
        dataclasses.replace(row, parent=row.id.replace("step24", "step6"), derivation="pruned", change=change)
        if row.step == 24
        else row
        for row in material.rows
    ]
    task, _ = lineage_tasks(dataclasses.replace(material, rows=rows), seed=0)
    assert set(task.labels) == {("pruned",)}
