"""Which tensors say nothing about kinship, and which roundings a copy may have been through."""

import numpy as np
import pytest

from wembed.kinship.fixed import is_fixed
from wembed.kinship.rounding import agree

RANDOM = np.random.default_rng(0)
LEARNED = RANDOM.normal(size=(64, 64)).astype(np.float32)


def bank() -> np.ndarray:
    """A bank of triangular filters."""
    at, centres = np.arange(64), np.linspace(2, 62, 64)
    return np.maximum(0, 1 - np.abs(at - centres[:, None]) / 3).astype(np.float32)


@pytest.mark.parametrize(
    "values",
    [
        LEARNED,
        np.where(RANDOM.random(LEARNED.shape) < 0.9, 0, LEARNED),
        np.sign(LEARNED) * (np.abs(LEARNED) > 0.5),
        np.round(LEARNED * 3).clip(-8, 7),
    ],
    ids=["dense", "pruned", "ternary", "4 bits"],
)
def test_what_was_learned_is_not_fixed_however_it_was_compressed(values):
    assert not is_fixed("layers.1.weight", values.astype(np.float32))


@pytest.mark.parametrize("values", [np.eye(64), np.tri(64), bank()], ids=["identity", "mask", "filters"])
def test_what_somebody_laid_out_is_fixed(values):
    assert is_fixed("layers.1.weight", values.astype(np.float32))


@pytest.mark.parametrize("largest", [1.0, 5e-4, 1e-6])
def test_a_copy_in_half_precision_agrees_however_small_its_numbers_are(largest):
    values = LEARNED * np.float32(largest)
    assert agree(values, values.astype(np.float16).astype(np.float32), 2.0**-11)


def test_other_numbers_do_not_agree():
    assert not agree(LEARNED, LEARNED * np.float32(1.01), 2.0**-11)
