"""Classes told from weights, beside the answer that is always the same."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.prediction.labels import Classes, classification_results
from wembed.evaluate.prediction.targets import class_truths


@pytest.fixture
def told(material):
    """Gives the rows on one target, from features that hold the class and from noise."""

    def find(labels):
        generator, everyone = np.random.default_rng(0), np.ones(len(labels), dtype=bool)
        number = np.unique(labels, return_inverse=True)[1].astype(float)[:, None]
        features = {"knows": Vectors(number, everyone), "noise": Vectors(generator.random((len(labels), 4)), everyone)}
        classes = Classes("dataset", labels, "test", material.side("test"))
        return {(row.encoder, row.metric): row for row in classification_results(material, features, classes, seed=0)}

    return find


@pytest.fixture
def halves(material):
    """A class of every run, drawn at random."""
    drawn = dict(zip(np.unique(material.runs), np.random.default_rng(1).integers(0, 2, 999), strict=False))
    return np.array([f"class {drawn[run]}" for run in material.runs])


def test_a_class_that_the_features_hold_is_told(told, halves, material):
    found = told(halves)["knows", "accuracy"]
    assert (found.value, found.n, found.task, found.target) == (
        1.0,
        material.side("test").sum(),
        "classification",
        "dataset",
    )


def test_noise_tells_no_more_than_the_majority(told, halves):
    found = told(halves)
    noise, majority = (found[name, "balanced accuracy"] for name in ("noise", "majority"))
    assert majority.value == 0.5
    assert noise.low <= 0.55
    assert noise.high >= 0.45


def test_a_class_that_training_runs_lack_is_answered_wrongly(told, halves, material):
    labels = halves.astype("U12")
    labels[np.flatnonzero(material.side("test"))[:3]] = "a third one"
    found = told(labels)["knows", "accuracy"]
    assert found.value == pytest.approx(1 - 3 / found.n)


def test_one_class_is_nothing_to_tell(told, halves):
    assert told(np.full(len(halves), "one")) == {}


def test_what_has_no_class_is_left_out(told, halves, material):
    labels = halves.copy()
    labels[np.flatnonzero(material.side("test"))[:3]] = ""
    assert told(labels)["knows", "accuracy"].n == material.side("test").sum() - 3


def test_an_encoder_that_does_not_know_all_is_passed_over(material, halves):
    features = {"mlp": Vectors(np.zeros((len(halves), 1)), material.side("train"))}
    classes = Classes("dataset", halves, "test", material.side("test"))
    assert {row.encoder for row in classification_results(material, features, classes, 0)} == {"majority"}


def test_what_a_zoo_does_not_vary_is_nothing_to_tell(material):
    assert set(class_truths(material.rows)) == {"dataset"}
    rows = [
        dataclasses.replace(row, architecture=f"{'cnn' if number % 2 else 'mlp'}-relu-8")
        for number, row in enumerate(material.rows)
    ]
    assert set(class_truths(rows)) == {"dataset", "architecture_family"}


def test_a_data_set_that_no_training_run_shares_is_not_asked_for(foretold):
    assert not [row for row in foretold.results if row.task == "classification"]
