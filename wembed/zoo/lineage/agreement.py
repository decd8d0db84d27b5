"""Likely parents and what the catalog says of parents in; how far the two agree out."""

from collections.abc import Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow
from wembed.zoo.lineage.descent import Descent


@dataclass(frozen=True)
class Agreement:
    """How far likely parents are those of the catalog.

    Args:
        known: checkpoints whose parent the catalog names, and which is there.
        found: of those, the ones whose likely parent is that one, or the other one of a merge.
        kin: of the others, the ones whose next of kin is that one, where which came first can't be told.
        named: checkpoints with a likely parent.
        judged: of those, the ones that the catalog says anything of: a parent, or a run.
        right: of those, the ones that are right; an earlier snapshot of one run and equal weights are right too.
    """

    known: int
    found: int
    kin: int
    named: int
    judged: int
    right: int

    @property
    def precision(self) -> float | None:
        """Share of the judged that are right."""
        return self.right / self.judged if self.judged else None

    @property
    def recall(self) -> float | None:
        """Share of the known that are found."""
        return self.found / self.known if self.known else None


def agreement(descents: Sequence[Descent], rows: Sequence[CatalogRow]) -> Agreement:
    """How far likely parents agree with the catalog.

    Args:
        descents: of some checkpoints.
        rows: of the catalog, which knows of their parents.
    """
    by_id = {row.id: row for row in rows}
    known = [own for own in descents if by_id[own.row.id].parent in by_id]
    named = [own for own in descents if own.parent]
    judged = [own for own in named if by_id[own.row.id].run or by_id[own.row.id].parent in by_id]
    found = sum(_is_parent(own.parent, by_id[own.row.id]) for own in known)
    kin = sum(own.parent is None and _is_parent(own.kin, by_id[own.row.id]) for own in known)
    return Agreement(len(known), found, kin, len(named), len(judged), sum(_is_right(own, by_id) for own in judged))


def _is_right(own: Descent, by_id: dict[str, CatalogRow]) -> bool:
    row, parent = by_id[own.row.id], by_id[own.parent.id] if own.parent else None
    if parent is None:
        return False
    is_earlier = bool(row.run) and row.run == parent.run and (parent.step or 0) < (row.step or 0)
    return _is_parent(parent, row) or is_earlier or row.content == parent.content


def _is_parent(parent: CatalogRow | None, row: CatalogRow) -> bool:
    return parent is not None and parent.id in (row.parent, row.other_parent)
