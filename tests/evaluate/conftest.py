"""One small trained zoo, and one evaluation of it, for all tests of this folder."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from trained_zoo import make_zoo

from wembed.catalog import Zoo
from wembed.encoder import Fingerprint
from wembed.evaluate import Evaluation, Result, evaluate, zoo_encoders
from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.material import Material, gather
from wembed.evaluate.prediction.foretell import ForetellOptions, Foretold, foretell


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


@pytest.fixture(scope="session")
def foretold(material) -> Foretold:
    """What the fingerprint and the baselines predict, from two fits each."""
    everyone = np.ones(len(material.rows), dtype=bool)
    encoders = {"fingerprint": Fingerprint(), "stats": Statistics()}
    features = {
        name: Vectors(encoder.embed(material.items).astype(np.float64), everyone) for name, encoder in encoders.items()
    }
    return foretell(material, features, material.rows[0].structure, 0, ForetellOptions(seeds=2))


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
    """Gives one number; of predictions, that on accuracy."""
    return partial(_one, evaluation.results)


@pytest.fixture
def foretold_value(foretold):
    """The same, without a whole evaluation."""
    return partial(_one, foretold.results)


def _one(results: list[Result], task: str, encoder: str, metric: str, split: str = "test") -> Result:
    named = (task, encoder, metric, split)
    found = [row for row in results if (row.task, row.encoder, row.metric, row.split) == named]
    (result,) = [row for row in found if row.target in ("", "accuracy")]
    return result
