"""What is known before a network is looked at."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.prediction.baselines import hidden_widths, known_before, name_and_config, recipe, width_only


def test_without_hyperparameters_that_baseline_is_left_out(material):
    rows = [dataclasses.replace(row, hyperparameters={}) for row in material.rows]
    assert recipe(rows) is None
    assert recipe([dataclasses.replace(row, step=None) for row in material.rows]) is None
    assert set(known_before(rows)) == {"name and config", "width"}
    assert recipe(material.rows).shape[0] == len(rows)


def test_no_baseline_holds_an_accuracy(material):
    rows = [
        dataclasses.replace(
            row, accuracy=0.1, loss=9.0, gap=0.3, train_accuracy=0.2, validation_accuracy=0.1,
            hyperparameters={**row.hyperparameters, "agreement": 0.7},
        )
        for row in material.rows
    ]  # fmt: skip
    for name, features in known_before(material.rows).items():
        assert np.array_equal(known_before(rows)[name], features)


def test_a_hyperparameter_that_some_lack_is_filled_and_marked(material):
    rows = list(material.rows)
    rows[0] = dataclasses.replace(rows[0], hyperparameters={"label_noise": 0.1})
    found, whole = recipe(rows), recipe(material.rows)
    assert np.isfinite(found).all()
    assert found.shape[1] == whole.shape[1] + 1
    marks = [column for column in found.T if column[0] == 1 and not column[1:].any()]
    assert len(marks) == 1


def test_name_and_config_does_not_know_how_long_training_took(material):
    rows = [dataclasses.replace(row, step=7, hyperparameters={"learning_rate": 1.0}) for row in material.rows]
    assert np.array_equal(name_and_config(rows), name_and_config(material.rows))
    assert len(np.unique(name_and_config(rows), axis=0)) == 3  # as many as there are data sets with architectures


def test_the_width_is_the_mean_of_what_the_label_ends_with(material):
    rows = [
        dataclasses.replace(material.rows[0], architecture=label)
        for label in ("mlp-relu-32x16", "vit-p2-l1-h2-e2-24", None)
    ]
    assert np.allclose(np.exp(width_only(rows)[:, 0]), [24, 24, 1])


def test_a_hyperparameter_that_is_a_word_is_known_too(material):
    words = [("adam", "sgd")[number % 2] for number in range(len(material.rows))]
    rows = [
        dataclasses.replace(row, hyperparameters=row.hyperparameters | {"optimizer": word})
        for row, word in zip(material.rows, words, strict=True)
    ]
    found = recipe(rows)
    assert found.shape[1] == recipe(material.rows).shape[1] + 2
    assert any(np.array_equal(column, [word == "sgd" for word in words]) for column in found.T)
    assert recipe([dataclasses.replace(row, hyperparameters={"optimizer": "sgd"}) for row in rows]) is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_known(material, value):
    rows = list(material.rows)
    rows[0] = dataclasses.replace(rows[0], hyperparameters=rows[0].hyperparameters | {"label_noise": value})
    assert np.isfinite(recipe(rows)).all()


@pytest.mark.parametrize("label", ["mlp-relu-²", "mlp-relu-", f"mlp-relu-{'9' * 5000}"])
def test_a_label_that_does_not_end_with_widths_has_none(material, label):
    assert hidden_widths(dataclasses.replace(material.rows[0], architecture=label)) == []
