"""Two equal checkpoints in; in what they are equal out."""

from typing import Literal

import numpy as np

from wembed.catalog import CatalogRow
from wembed.zoo.duplicates.precision import ROUNDOFF
from wembed.zoo.duplicates.same import Network

Reason = Literal[
    "identical file",
    "identical weights",
    "same up to symmetry",
    "same up to dtype",
    "same up to symmetry and dtype",
]
_ROUNDINGS = 3.0  # of the coarser format: it may have been rounded more than once


def by_hash(kept: CatalogRow, row: CatalogRow) -> Reason:
    """In what two checkpoints of equal weights are equal."""
    return "identical file" if kept.sha256 == row.sha256 else "identical weights"


def reason_of(first: Network, second: Network) -> Reason:
    """In what two checkpoints of different weights are equal.

    Args:
        first: the one to keep.
        second: the other.
    """
    is_rounded = first.precision != second.precision
    if _in_one_order(first, second):
        return "same up to dtype" if is_rounded else "identical weights"
    return "same up to symmetry and dtype" if is_rounded else "same up to symmetry"


def _in_one_order(first: Network, second: Network) -> bool:
    """Whether the weights agree as they stand in the files, within rounding."""
    one, other = first.item[0], second.item[0]
    roundoff = _ROUNDINGS * max(ROUNDOFF[network.precision] for network in (first, second))
    for name, info in one.tensors.items():
        if info.is_floating:
            values, found = (checkpoint.read(name).astype(np.float64) for checkpoint in (one, other))
            least = roundoff * np.abs(values).max(initial=0.0) * roundoff
            if (np.abs(values - found) > roundoff * np.maximum(np.abs(values), np.abs(found)) + least).any():
                return False
    return True
