"""Two equal checkpoints in; in what they are equal out."""

from typing import Literal

from wembed.catalog import CatalogRow
from wembed.kinship import Network, agree_as_stored

Reason = Literal[
    "identical file",
    "identical weights",
    "same up to symmetry",
    "same up to dtype",
    "same up to symmetry and dtype",
]


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
    if agree_as_stored(first, second):
        return "same up to dtype" if is_rounded else "identical weights"
    return "same up to symmetry and dtype" if is_rounded else "same up to symmetry"
