"""What can be predicted of a zoo, and how it is kept: made-up rows and embeddings."""

import dataclasses

import numpy as np
import pytest

from wembed.catalog import CatalogRow
from wembed.errors import NotFoundError, UsageError
from wembed.prediction import (
    ACCURACY,
    Ground,
    TooFewRunsError,
    architecture_family,
    find_target,
    fit_target,
    kept_or_fitted,
    kin_of,
    known_targets,
)

SIDES = {"train": 60, "validation": 60, "test": 40}


def made_up(number: int, split: str, generator: np.random.Generator) -> tuple[CatalogRow, np.ndarray]:
    """A row and an embedding from which all of it follows."""
    vector = generator.normal(size=8)
    name, kind = f"{split}{number}", int(vector[1] > 0) + int(vector[1] > 0.8)
    row = CatalogRow(
        id=name, path=f"{name}.safetensors", structure="s", run=name, split=split, content=name, dataset="digits",
        architecture=("mlp-relu-8", "mlp-tanh-8", "cnn-tanh-8")[kind],
        accuracy=float(np.clip(0.6 + 0.2 * np.tanh(vector[0]), 0.0, 1.0)), gap=float(0.1 * np.tanh(vector[2])),
        hyperparameters={
            "learning_rate": float(10 ** (vector[3] - 3)), "layers": 1 + int(vector[4] > 0), "note": name,
        },
    )  # fmt: skip
    return row, vector


@pytest.fixture(scope="module")
def ground() -> Ground:
    generator = np.random.default_rng(0)
    made = [made_up(number, split, generator) for split, count in SIDES.items() for number in range(count)]
    return Ground([row for row, _ in made], {row.id: vector for row, vector in made}, encoder="made-up")


def test_targets_are_what_the_zoo_varies_and_says(ground):
    expected = ["accuracy", "gap", "architecture_family", "activation", "layers", "learning_rate"]
    assert list(known_targets(ground.rows)) == expected


def told(ground: Ground, name: str) -> tuple[list, list]:
    """What is told of test rows in domain, and the truth."""
    target = find_target(name, ground.rows)
    rows = [row for row in ground.rows if row.split == "test"]
    answers = fit_target(ground, target).answers(np.array([ground.vectors[row.id] for row in rows]))
    inside = [(answer, target.read(row)) for answer, row in zip(answers, rows, strict=True) if answer.in_domain]
    return [answer for answer, _ in inside], [value for _, value in inside]


@pytest.mark.parametrize("name", ["activation", "layers", "architecture_family"])
def test_classes_are_told_with_a_probability_and_a_set(ground, name):
    answers, true = told(ground, name)
    right = [answer.value == value for answer, value in zip(answers, true, strict=True)]
    assert np.mean(right) > 0.7
    assert all(answer.value in answer.classes for answer in answers)
    assert all(0 < answer.probability <= 1 for answer in answers)
    assert np.mean([value in answer.classes for answer, value in zip(answers, true, strict=True)]) > 0.8


def test_of_learning_rates_the_ratio_counts(ground):
    answers, true = told(ground, "learning_rate")
    errors = np.log10([answer.value for answer in answers]) - np.log10(true)
    assert np.abs(errors).mean() < 0.5
    assert all(0 < answer.low <= answer.value <= answer.high for answer in answers)


def test_a_gap_can_be_below_zero(ground):
    answers, _ = told(ground, "gap")
    assert min(answer.value for answer in answers) < 0


def test_an_unknown_target_lists_those_that_there_are(ground):
    with pytest.raises(UsageError, match=r"no target 'colour', known are accuracy, gap, .*learning_rate, all"):
        find_target("colour", ground.rows)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dataset", "nothing to predict dataset from: in this zoo it is always 'digits'"),
        ("train_accuracy", "nothing to predict train_accuracy from: in this zoo it is known of none of its 160"),
        ("note", "nothing to predict note from: in this zoo it takes 160 values, too many for its 160 checkpoints"),
    ],
)
def test_what_the_zoo_does_not_vary_is_no_target(ground, name, message):
    with pytest.raises(NotFoundError, match=message):
        find_target(name, ground.rows)


def test_without_accuracies_there_is_nothing_to_predict_from(ground):
    with pytest.raises(NotFoundError, match="no accuracy is known of the zoo's 160 checkpoints"):
        find_target("accuracy", [dataclasses.replace(row, accuracy=None) for row in ground.rows])


def test_too_few_runs_are_told_with_the_target(ground):
    rows = [dataclasses.replace(row, gap=None if row.split == "train" else row.gap) for row in ground.rows]
    with pytest.raises(
        TooFewRunsError, match=r"too few runs with known values of gap .*: found 0 independent training runs"
    ):
        fit_target(dataclasses.replace(ground, rows=rows), find_target("gap", rows))


@pytest.mark.parametrize("name", ["accuracy", "activation"])
def test_what_is_kept_tells_the_same(ground, name, tmp_path, monkeypatch):
    target, vectors = find_target(name, ground.rows), np.array(list(ground.vectors.values()))
    first = kept_or_fitted(ground, target, tmp_path / "predictors").answers(vectors)
    monkeypatch.setattr("wembed.prediction.kept.fit_target", lambda *_: pytest.fail("fitted again"))
    assert kept_or_fitted(ground, target, tmp_path / "predictors").answers(vectors) == first


def test_what_has_changed_is_fitted_again(ground, tmp_path):
    first = kept_or_fitted(ground, ACCURACY, tmp_path)
    rows = [dataclasses.replace(row, accuracy=1 - row.accuracy) for row in ground.rows]
    second = kept_or_fitted(dataclasses.replace(ground, rows=rows), ACCURACY, tmp_path)
    (one,), (other,) = (each.answers(np.zeros((1, 8))) for each in (first, second))
    assert one.value == pytest.approx(1 - other.value, abs=0.1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_broken_file_is_fitted_again(ground, tmp_path):
    first = kept_or_fitted(ground, ACCURACY, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    assert kept_or_fitted(ground, ACCURACY, tmp_path).answers(np.zeros((1, 8))) == first.answers(np.zeros((1, 8)))


def test_a_pickle_in_its_place_is_not_loaded(ground, tmp_path):
    kept_or_fitted(ground, ACCURACY, tmp_path)
    (path,) = tmp_path.iterdir()
    np.savez(path, allow_pickle=True, data=np.array([{"code": 1}], dtype=object))
    assert kept_or_fitted(ground, ACCURACY, tmp_path).answers(np.zeros((1, 8)))


def test_where_nothing_can_be_kept_it_is_fitted_each_time(ground, tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert kept_or_fitted(ground, ACCURACY, tmp_path / "file").answers(np.zeros((1, 8)))


def test_a_family_is_called_by_its_first_run():
    rows = [CatalogRow(id=f"{run}-{step}", path="x", run=run) for run in "ab" for step in (1, 2)]
    assert kin_of(rows).tolist() == ["a", "a", "b", "b"]
    child = CatalogRow(id="child", path="x", run="c", parent="b-2")
    assert kin_of([*rows, child]).tolist() == ["a", "a", "b", "b", "b"]


@pytest.mark.parametrize("name", ["accuracy", "activation"])
def test_children_are_calibrated_on_with_their_parents(ground, name, monkeypatch):
    """A child on the other half of the validation runs would vouch for intervals that its parent chose."""
    rows = [
        dataclasses.replace(row, parent="validation0") if row.id.startswith("validation1") else row
        for row in ground.rows
    ]
    given = []
    for fit in ("fit_predictor", "fit_classifier"):
        monkeypatch.setattr(f"wembed.prediction.rows.{fit}", lambda *sides: given.append(sides[1]))
    fit_target(dataclasses.replace(ground, rows=rows), find_target(name, rows))
    kin = sum(row.id.startswith("validation1") for row in rows)
    assert given[0].run_count == SIDES["validation"] - kin


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400], ids=["nan", "inf", "too great for a float"])
def test_what_is_not_finite_is_not_known(ground, value):
    rows = [
        dataclasses.replace(row, accuracy=value, hyperparameters=row.hyperparameters | {"learning_rate": value})
        if number % 7 == 0
        else row
        for number, row in enumerate(ground.rows)
    ]
    told = dataclasses.replace(ground, rows=rows)
    for name in ("accuracy", "learning_rate"):
        (answer,) = fit_target(told, find_target(name, rows)).answers(np.zeros((1, 8)))
        assert np.isfinite([answer.low, answer.value, answer.high]).all()


def test_families_are_the_first_word_of_a_label():
    for label, family in (("mlp-leaky_relu-bn-16x16", "mlp"), ("vit-p2-l1-h2-e2-16", "vit"), (None, None)):
        assert architecture_family(CatalogRow(id="a", path="a", architecture=label)) == family
