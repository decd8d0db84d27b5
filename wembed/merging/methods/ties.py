"""TIES: trim small changes, elect a sign for every element, and average what agrees with it."""

from collections.abc import Iterator, Sequence

import numpy as np

from wembed.merging.methods.blocks import Blocks, Values
from wembed.merging.methods.trim import kept_from, magnitude


def ties(blocks: Blocks, weights: Sequence[float], density: float, scale: float) -> Iterator[Values]:
    """The base plus the disjoint mean of trimmed task vectors (Yadav et al., 2023, arXiv:2306.01708).

    Trim: of each task vector the largest elements are kept, tensor by tensor as mergekit does (the paper ranks those of
    the whole network). Elect: the sign of the weighted sum, plus where it is 0. Merge: the mean of the elements that
    have that sign, each with the weight of its network.

    Args:
        blocks: a tensor of fine-tunes and of their base.
        weights: how much each counts.
        density: the share that is kept, k in the paper.
        scale: what the mean is multiplied by, the paper's λ.
    """
    thresholds = kept_from(blocks, density)
    for block in blocks:
        trimmed = []
        for vector, weight, threshold in zip(block.task_vectors(), weights, thresholds, strict=True):
            vector *= magnitude(vector) >= threshold
            vector *= weight
            trimmed.append(vector)
        mean = _disjoint_mean(trimmed, weights)
        mean *= scale
        mean += block.origin
        yield mean


def _disjoint_mean(vectors: Sequence[Values], weights: Sequence[float]) -> Values:
    """The mean of the elements whose sign is that of the sum, 0 where there are none; the vectors are overwritten."""
    nothing = np.zeros_like(vectors[0])
    sign = _signs(sum(vectors[1:], vectors[0]))
    total, agreeing = nothing.copy(), nothing.copy()
    for vector, weight in zip(vectors, weights, strict=True):
        vector *= sign
        agreeing += np.multiply(vector > 0.0, abs(weight), dtype=sign.dtype)
        np.maximum(vector, nothing, out=vector)
        total += vector
    agreeing += agreeing == 0.0
    total *= sign
    total /= agreeing
    return total


def _signs(values: Values) -> Values:
    """1 and -1, and 1 for zeros."""
    return np.multiply(values >= 0.0, 2.0, dtype=values.dtype) - 1.0
