"""Runs look for others on their data set, or of their kind, without what would give it away."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.retrieval.alike import ARCHITECTURE, DATASET, alike_tasks
from wembed.prediction import architecture_family


@pytest.fixture
def mixed(material):
    """The same zoo with two data sets and two kinds of architecture in all combinations."""
    rows = [
        dataclasses.replace(
            row,
            dataset=("wine", "digits")[number // 2 % 2],
            architecture=("mlp-relu-8", "mlp-relu-6x6", "cnn-relu-4")[number // 4 % 3],
        )
        for number, row in enumerate(material.rows)
    ]
    return dataclasses.replace(material, rows=rows)


def test_same_data_set_is_looked_for_among_other_architectures(mixed):
    task = next(task for task in alike_tasks(mixed, seed=0) if task.name == DATASET)
    rows = mixed.rows
    for place, right, among in zip(task.origins, task.relevant, task.candidates, strict=True):
        assert {rows[n].architecture for n in np.flatnonzero(among)} == {
            row.architecture for row in rows if row.architecture != rows[place].architecture
        }
        assert {rows[n].dataset for n in np.flatnonzero(right)} == {rows[place].dataset}
        assert rows[place].dataset not in {rows[n].dataset for n in np.flatnonzero(among & ~right)}


def test_same_kind_of_architecture_is_looked_for_on_other_data_sets(mixed):
    task = next(task for task in alike_tasks(mixed, seed=0) if task.name == ARCHITECTURE)
    rows = mixed.rows
    for place, right, among in zip(task.origins, task.relevant, task.candidates, strict=True):
        assert rows[place].dataset not in {rows[n].dataset for n in np.flatnonzero(among)}
        assert {architecture_family(rows[n]) for n in np.flatnonzero(right)} == {architecture_family(rows[place])}
        wrong = np.flatnonzero(among & ~right)
        assert architecture_family(rows[place]) not in {architecture_family(rows[n]) for n in wrong}


def test_queries_are_last_snapshots_of_test_runs_as_they_are(mixed):
    for task in alike_tasks(mixed, seed=0):
        assert {mixed.rows[place].step for place in task.origins} == {24}
        assert {mixed.splits[mixed.rows[place].id] for place in task.origins} == {"test"}
        assert not task.draws


def test_a_zoo_of_one_data_set_asks_for_none(material):
    rows = [dataclasses.replace(row, dataset="wine") for row in material.rows]
    assert alike_tasks(dataclasses.replace(material, rows=rows), seed=0) == []
