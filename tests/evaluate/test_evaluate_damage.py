"""What noise, pruning and rounding do to tensors."""

import numpy as np
import pytest
import torch

from wembed.evaluate.retrieval.queries import Copies, disguised, spoiled
from wembed.evaluate.stability.damage import DAMAGES, damaged

WEIGHT = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)


def after(kind, values=WEIGHT):
    return damaged({"weight": values}, kind, np.random.default_rng(1))["weight"]


@pytest.mark.parametrize(("kind", "share"), [("pruned 10 %", 0.1), ("pruned 30 %", 0.3), ("pruned 50 %", 0.5)])
def test_pruning_sets_the_smallest_weights_to_zero(kind, share):
    left = after(kind)
    gone = left == 0
    assert gone.mean() == share
    assert np.abs(WEIGHT[gone]).max() <= np.abs(WEIGHT[~gone]).min()
    assert np.array_equal(left[~gone], WEIGHT[~gone])


@pytest.mark.parametrize(("kind", "share"), [("noise 5 %", 0.05), ("noise 20 %", 0.2)])
def test_noise_is_a_share_of_the_deviation(kind, share):
    assert (after(kind) - WEIGHT).std() == pytest.approx(share * WEIGHT.std(), rel=0.1)


def test_int8_leaves_at_most_255_values_within_half_a_step():
    rounded, step = after("int8"), np.abs(WEIGHT).max() / 127
    assert len(np.unique(rounded)) <= 255
    assert np.abs(rounded - WEIGHT).max() <= 0.5 * step + 1e-6


def test_bf16_is_what_torch_makes_of_it():
    assert np.array_equal(after("bf16"), torch.from_numpy(WEIGHT).bfloat16().double().numpy())


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if kind != "bf16"])
def test_vectors_stay_as_they_are(kind):
    assert np.array_equal(after(kind, WEIGHT[0]), WEIGHT[0])


@pytest.mark.parametrize("kind", DAMAGES)
def test_nothing_is_changed_in_place_and_zeros_stay_finite(kind):
    before = WEIGHT.copy()
    after(kind)
    assert np.array_equal(before, WEIGHT)
    assert np.isfinite(after(kind, np.zeros((2, 3), np.float32))).all()


def test_a_copy_is_the_same_every_time_and_another_for_each_seed(material):
    def weight(seed):
        return Copies(material.items[:2], spoiled("noise 5 %"), (seed,))[1][0].read("0.weight")

    assert np.array_equal(weight(0), weight(0))
    assert not np.array_equal(weight(0), weight(1))


def test_copies_are_as_many_as_their_originals(material):
    assert len(Copies(material.items[:3], disguised, (0,))) == 3
