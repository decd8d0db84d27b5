import pytest
import torch

from wembed.errors import NotFoundError
from wembed.models import DATASETS, load_dataset

SIZES = {"digits": 1797, "wine": 178, "breast_cancer": 569}


@pytest.mark.parametrize("name", DATASETS)
def test_a_third_is_held_out_and_every_input_stands_on_one_side(name):
    found = load_dataset(name)
    train, test = found.train_inputs, found.test_inputs
    assert len(train) + len(test) == SIZES[name]
    assert len(test) == round(SIZES[name] / 3)
    assert not {tuple(row) for row in train.tolist()} & {tuple(row) for row in test.tolist()}


@pytest.mark.parametrize("name", DATASETS)
def test_the_same_every_time_and_every_class_on_both_sides(name):
    first, second = load_dataset(name), load_dataset(name)
    assert torch.equal(first.test_inputs, second.test_inputs)
    assert torch.equal(first.train_labels, second.train_labels)
    assert set(first.train_labels.tolist()) == set(first.test_labels.tolist()) == set(range(first.classes))


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_columns_are_standardised_by_the_training_part_alone(name):
    found = load_dataset(name)
    assert found.train_inputs.mean(0).abs().max() < 1e-5
    assert (found.train_inputs.std(0) - 1).abs().max() < 1e-5
    assert found.test_inputs.mean(0).abs().max() > 1e-3


def test_pixels_go_from_zero_to_one():
    found = load_dataset("digits")
    assert found.shape == (1, 8, 8)
    assert (float(found.train_inputs.min()), float(found.train_inputs.max())) == (0, 1)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(NotFoundError) as refused:
        load_dataset("digit")
    assert refused.value.message == "no data set 'digit'"
    assert refused.value.hint == "known are digits, wine, breast_cancer"
