"""One small trained zoo, and one evaluation of it, for all tests of this folder."""

import dataclasses
from pathlib import Path

import pytest
from trained_zoo import make_zoo

from wembed.catalog import Zoo
from wembed.evaluate import Evaluation, Result, evaluate, zoo_encoders
from wembed.evaluate.material import Material, gather


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Zoo:
    """Not to be changed."""
    return make_zoo(tmp_path_factory.mktemp("evaluated") / "zoo")


@pytest.fixture(scope="session")
def material(zoo) -> Material:
    return gather(zoo, split_seed=0)


@pytest.fixture(scope="session")
def evaluation(zoo) -> Evaluation:
    return evaluate(zoo, zoo_encoders(zoo))


@pytest.fixture
def changed(zoo, tmp_path):
    """Makes a zoo of the same files with rows changed by a function; None drops a row."""

    def make(change) -> Zoo:
        copy = Zoo.create(Path(tmp_path / "changed"))
        rows = [dataclasses.replace(row, path=str(zoo.path_of(row))) for row in zoo.rows()]
        copy.append([row for row in map(change, rows) if row])
        return copy

    return make


@pytest.fixture
def few(changed) -> Zoo:
    """A zoo of too few runs to predict from, which is soon evaluated."""
    return changed(lambda row: row if row.dataset == "wine" and int(row.run[-3:]) < 12 else None)


@pytest.fixture
def value(evaluation):
    """Gives one number."""

    def find(task: str, encoder: str, metric: str, split: str = "test") -> Result:
        named = (task, encoder, metric, split)
        (result,) = [r for r in evaluation.results if (r.task, r.encoder, r.metric, r.split) == named]
        return result

    return find
