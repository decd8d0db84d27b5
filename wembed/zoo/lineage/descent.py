"""Descent: where a checkpoint likely comes from, and what speaks for it."""

from dataclasses import dataclass

from wembed.catalog import CatalogRow
from wembed.zoo.lineage.derivation import Derivation


@dataclass(frozen=True)
class Descent:
    """Where a checkpoint likely comes from.

    Args:
        row: as in the catalog.
        parent: the likely parent; None for a root, and where it can't be told.
        other_parent: of a merge.
        derivation: how it was likely made from its parent.
        similarity: cosine of the weights that it shares with its parent, or with its next of kin.
        change: the norm of the difference to that one, relative to both.
        p_value: share of networks with shuffled neurons that are as alike.
        identical: how many weights (tensors) are the same in both, as what was frozen is; judged by a sample.
        compared: of how many that both have.
        probability: that this is the parent, and not other kin, and not its child; 0 to 1.
        direction: what tells which of the two came first, or leaves it open; "" where nothing does.
        kin: the next of kin where no parent is named.
    """

    row: CatalogRow
    parent: CatalogRow | None = None
    other_parent: CatalogRow | None = None
    derivation: Derivation | None = None
    similarity: float | None = None
    change: float | None = None
    p_value: float | None = None
    identical: int | None = None
    compared: int | None = None
    probability: float | None = None
    direction: str = ""
    kin: CatalogRow | None = None
