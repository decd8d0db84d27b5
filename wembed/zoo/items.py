"""Rows of a zoo in; their opened checkpoints with their symmetries out, for work on many of them at once."""

from collections.abc import Sequence

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint
from wembed.encoder import Item
from wembed.zoo.specs import spec_of_row


def open_items(zoo: Zoo, rows: Sequence[CatalogRow]) -> list[Item]:
    """Opens the checkpoints of some rows, in their order.

    Raises:
        WembedError: if one can't be opened.
    """
    items = []
    for row in rows:
        checkpoint = open_checkpoint(zoo.path_of(row))
        items.append((checkpoint, spec_of_row(zoo, checkpoint, row)))
    return items
