"""Rows and their checkpoints in; the networks to train on, and what is known of their kin, out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow
from wembed.encoder import Item

OpenItems = Callable[[Sequence[CatalogRow]], Sequence[Item]]


@dataclass(frozen=True)
class Example:
    """A network to train on.

    Args:
        item: its checkpoint and symmetries.
        run: the run that it is a snapshot of.
        step: of the run.
        accuracy: what it reaches, NaN where that is not known.
        id: what its children call it; "" where it has none.
        parents: ids of what it was made from.
        twins: what it shares with its twins, such as initial weights or an order of the data.
        content: hash of the weights: networks of one content are one network.
    """

    item: Item
    run: str
    step: int
    accuracy: float
    id: str = ""
    parents: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    content: str = ""


def examples_of(rows: Sequence[CatalogRow], open_items: OpenItems) -> list[Example]:
    """The networks of rows; twins are those that share initial weights or an order of the data.

    Raises:
        WembedError: a checkpoint can't be read.
    """
    return [_example(item, row) for item, row in zip(open_items(rows), rows, strict=True)]


def _example(item: Item, row: CatalogRow) -> Example:
    shared = {"init": row.init_id, "order": row.data_order_id}
    return Example(
        item=item,
        run=row.run or row.id,
        step=row.step or 0,
        accuracy=math.nan if row.accuracy is None else row.accuracy,
        id=row.id,
        parents=tuple(parent for parent in (row.parent, row.other_parent) if parent),
        twins=tuple(f"{kind} {name}" for kind, name in shared.items() if name),
        content=row.content,
    )
