"""DARE: drop most of what fine-tuning added, at random, and rescale the rest."""

from collections.abc import Iterator, Sequence

import numpy as np

from wembed.merging.methods.blocks import Blocks, Values


def dare(
    blocks: Blocks, weights: Sequence[float], density: float, scale: float, generators: Sequence[np.random.Generator]
) -> Iterator[Values]:
    """The base plus the sum of thinned task vectors (Yu et al., 2024, arXiv:2311.03099).

    Each element of a task vector is kept with probability `density` and divided by it, so that the sum is expected to
    be that of task arithmetic.

    Args:
        blocks: a tensor of fine-tunes and of their base.
        weights: what each task vector is multiplied by.
        density: the share that is kept, 1 - p in the paper.
        scale: what their sum is multiplied by.
        generators: of each network: element i is kept where its i-th random float32 is less than `density`.
    """
    for block in blocks:
        merged = block.origin
        for vector, weight, generator in zip(block.task_vectors(), weights, generators, strict=True):
            vector *= generator.random(vector.size, dtype=np.float32) < density
            vector *= weight * scale / density
            merged = merged + vector
        yield merged


def mask_generators(seed: int, name: str, count: int) -> list[np.random.Generator]:
    """A generator for each network, which depends on the seed, the tensor's name and the network's number alone."""
    return [np.random.default_rng([seed, number, *name.encode()]) for number in range(count)]
