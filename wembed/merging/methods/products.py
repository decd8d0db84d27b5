"""Inner products of whole tensors, block by block."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wembed.merging.methods.blocks import Block, Blocks, Values


def inner_products(blocks: Blocks, vectors: Callable[[Block], list[Values]]) -> NDArray[np.float64]:
    """The inner product of each vector with each other, [V, V], summed in float64.

    Args:
        blocks: the tensors.
        vectors: the V vectors that a block holds a part of.
    """
    return np.asarray(sum(_products(vectors(block)) for block in blocks))


def _products(vectors: list[Values]) -> NDArray[np.float64]:
    products = np.empty((len(vectors), len(vectors)))
    for row, first in enumerate(vectors):
        for column, second in enumerate(vectors[: row + 1]):
            products[row, column] = products[column, row] = (first * second).sum(dtype=np.float64)
    return products
