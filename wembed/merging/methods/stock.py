"""Model stock: how far to go from the base to the average, as the angle between the fine-tunes says."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wembed.merging.methods.blocks import Block, Blocks, Values
from wembed.merging.methods.linear import summed
from wembed.merging.methods.products import inner_products


def stock(blocks: Blocks) -> Iterator[Values]:
    """Model stock (Jang et al., 2024, arXiv:2403.19522), with one ratio for each tensor.

    Of N fine-tunes at an angle θ to each other, as seen from the base, the point nearest to the centre of all that
    could have come out is t · average + (1 - t) · base with t = N cos θ / (1 + (N - 1) cos θ). An obtuse angle counts
    as a right one, which leaves the base.

    Args:
        blocks: a tensor of two or more fine-tunes and of their base.
    """
    ratio = _ratio(inner_products(blocks, _task_vectors))
    for block in blocks:
        count = len(block.tensors)
        yield summed([block.origin, *block.tensors], [1.0 - ratio, *[ratio / count] * count])


def _task_vectors(block: Block) -> list[Values]:
    return list(block.task_vectors())


def _ratio(products: NDArray[np.float64]) -> float:
    """The paper's t, from the inner products of the task vectors."""
    count = len(products)
    cosines = [_cosine(products, row, column) for row in range(count) for column in range(row)]
    cosine = max(sum(cosines) / len(cosines), 0.0)
    return count * cosine / (1.0 + (count - 1) * cosine)


def _cosine(products: NDArray[np.float64], row: int, column: int) -> float:
    """Of two task vectors; 0 where one of them is zero."""
    norms = math.sqrt(products[row, row] * products[column, column])
    return float(products[row, column] / norms) if norms else 0.0
