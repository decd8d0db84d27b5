import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from wembed.errors import NotFoundError, UsageError
from wembed.models import DATASETS, DataFile, load_dataset
from wembed.models.data.split import Examples, split, split_rows

SIZES = {"digits": 1797, "wine": 178, "breast_cancer": 569, "iris": 150, "diabetes": 442}
TABLES = [name for name in SIZES if name != "digits"]
PARTS = ("train", "validation", "test")


def inputs_of(found) -> dict[str, torch.Tensor]:
    return {part: getattr(found, f"{part}_inputs") for part in PARTS}


def labels_of(found) -> dict[str, torch.Tensor]:
    return {part: getattr(found, f"{part}_labels") for part in PARTS}


@pytest.mark.parametrize("tested", [0, 300])
def test_every_row_is_in_one_part(tested):
    parts = vars(split_rows(1797, tested))
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(1797))
    if tested:
        assert parts["test"].tolist() == list(range(1497, 1797))
        assert len(parts["validation"]) == round(1497 / 6)


@pytest.mark.parametrize("name", SIZES)
def test_a_third_is_for_testing_and_a_sixth_for_validation(name):
    found, size = inputs_of(load_dataset(name)), SIZES[name]
    assert (len(found["test"]), len(found["validation"])) == (round(size / 3), round(size / 6))
    assert sum(len(part) for part in found.values()) == size


def test_the_test_part_is_the_first_third_of_the_permutation_of_seed_0():
    from sklearn.datasets import load_digits

    rows = np.random.default_rng(0).permutation(1797)[:599]
    found = load_dataset("digits")
    np.testing.assert_array_equal(found.test_inputs.numpy() * 16, load_digits().data[rows])
    np.testing.assert_array_equal(found.test_labels.numpy(), load_digits().target[rows])


@pytest.mark.parametrize("name", SIZES)
def test_every_class_is_in_every_part(name):
    found = load_dataset(name)
    for labels in labels_of(found).values():
        assert labels.dtype == torch.int64
        assert set(labels.tolist()) == set(range(found.classes))


def test_another_process_gets_the_same_digests():
    names = ["digits", "wine", "diabetes", "documentation-masked", "digits-parity"]
    code = f"from wembed.models import load_dataset\nfor n in {names}: print(load_dataset(n).digest)"
    environment = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [load_dataset(name).digest for name in names]


def test_the_digest_tells_apart_data_and_splits_and_nothing_else():
    generator = np.random.default_rng(0)
    examples = Examples("table", (4,), generator.normal(size=(60, 4)), np.arange(60) % 3)
    found = split("a", examples)
    assert len(found.digest) == 16
    assert found.digest == split("b", examples).digest
    assert found.digest != split("a", Examples("table", (4,), examples.inputs, np.arange(60) % 2)).digest
    assert found.digest != split("a", Examples("table", (4,), examples.inputs, examples.labels, tested=20)).digest


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_standardised_by_the_training_part_alone(name):
    found = load_dataset(name)
    assert found.kind == "table"
    assert found.train_inputs.mean(0).abs().max() < 1e-5
    assert (found.train_inputs.std(0) - 1).abs().max() < 1e-5
    assert found.test_inputs.mean(0).abs().max() > 1e-3


def test_constant_columns_are_zero_and_missing_values_the_mean():
    inputs = np.random.default_rng(0).normal(3, 2, size=(90, 3))
    inputs[:, 1] = 0.1
    rows = split_rows(90)
    inputs[rows.train[0], 0] = inputs[rows.test[0], 2] = np.nan
    found = split("x", Examples("table", (3,), inputs, np.arange(90) % 2))
    assert all(part[:, 1].abs().max() < 1e-6 for part in inputs_of(found).values())
    assert found.train_inputs[0, 0] == found.test_inputs[0, 2] == 0


def test_a_column_that_is_missing_altogether_is_zero():
    inputs = np.full((60, 1), np.nan)
    found = split("x", Examples("table", (1,), inputs, np.arange(60) % 2))
    assert not found.train_inputs.any()


def test_pixels_go_from_zero_to_one():
    found = load_dataset("digits")
    assert (found.kind, found.shape) == ("images", (1, 8, 8))
    assert (float(found.train_inputs.min()), float(found.train_inputs.max())) == (0, 1)


def test_diabetes_has_classes_of_one_size():
    assert load_dataset("diabetes").train_labels.bincount().tolist() == [73, 74, 74]


@pytest.mark.parametrize("name", SIZES)
def test_parity_tells_odd_labels_from_even_ones_of_the_same_inputs(name):
    found, parity = load_dataset(name), load_dataset(f"{name}-parity")
    assert (parity.name, parity.classes, parity.shape) == (f"{name}-parity", 2, found.shape)
    for part in PARTS:
        assert torch.equal(inputs_of(found)[part], inputs_of(parity)[part])
        assert torch.equal(labels_of(found)[part] % 2, labels_of(parity)[part])


def test_names_say_which_need_no_file():
    assert {*SIZES, "mnist", "fashion-14", "documentation", "licences-masked", "digits-parity"} < set(DATASETS)
    assert "documentation-parity" not in DATASETS


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(NotFoundError) as refused:
        load_dataset("digit")
    assert refused.value.message == "no data set 'digit'"
    assert refused.value.hint == (
        "known are digits, wine, breast_cancer, iris, diabetes, mnist, mnist-14, fashion, fashion-14, documentation, "
        "documentation-masked, licences, licences-masked; one with classes also as NAME-parity; a file as --data "
        "digit=PATH"
    )


def test_characters_have_no_parity():
    with pytest.raises(UsageError, match=r"^data set documentation-parity: documentation is a text, characters are"):
        load_dataset("documentation-parity")


@pytest.mark.parametrize("name", ["digits", "documentation", "licences-masked"])
def test_a_name_that_is_taken_is_not_read_from_a_file(name, tmp_path):
    with pytest.raises(UsageError) as refused:
        load_dataset(name, DataFile(path=tmp_path / "x.csv"))
    assert refused.value.message == f"data set {name} is not read from a file"
    assert refused.value.hint == f"give {tmp_path / 'x.csv'} another name"
