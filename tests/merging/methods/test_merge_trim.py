"""The rank of an element, found without sorting the whole, against a sort of the whole."""

import numpy as np
import pytest

from wembed.merging.methods.blocks import Block, InMemory
from wembed.merging.methods.trim import kept_from

LARGE = 300_000  # elements, more than are sampled


def bfloat16(values):
    return (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


def rare(rng):
    values = np.zeros(LARGE, np.float32)
    values[rng.choice(LARGE, 40, replace=False)] = rng.standard_normal(40)
    return values


def of_period(rng, period):
    """What a sample of every so many elements sees as one number."""
    values = rng.standard_normal(LARGE).astype(np.float32)
    values[::period] = 100.0
    return values


KINDS = {
    "normal": lambda rng: rng.standard_normal(LARGE).astype(np.float32),
    "heavy tails": lambda rng: rng.standard_cauchy(LARGE).astype(np.float32),
    "few values": lambda rng: bfloat16(rng.standard_normal(LARGE) * 2.0**-4 + 1.0) - np.float32(1.0),
    "all equal": lambda rng: np.full(LARGE, -0.5, np.float32),
    "all zero": lambda rng: np.zeros(LARGE, np.float32),
    "mostly zero": rare,
    "sorted": lambda rng: np.sort(rng.standard_normal(LARGE)).astype(np.float32),
    "periodic": lambda rng: of_period(rng, 5),
    "small": lambda rng: rng.standard_normal(101).astype(np.float32),
}


@pytest.mark.parametrize("density", [1e-9, 0.001, 0.2, 0.5, 0.9, 0.99999, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_threshold_is_that_of_a_sort(kind, density):
    values = KINDS[kind](np.random.default_rng(0))
    base = np.zeros_like(values)
    found = kept_from(InMemory(Block([values], base)), density)
    number = max(1, int(density * values.size))
    expected = np.sort(np.abs(values))[values.size - number]
    assert found == [expected if density < 1.0 else 0.0]


def test_each_network_has_its_own_threshold():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal(1000), rng.standard_normal(1000) * 7.0
    found = kept_from(InMemory(Block([one, other], np.zeros(1000))), 0.25)
    assert found == [np.sort(np.abs(values))[750] for values in (one, other)]
