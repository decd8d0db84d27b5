"""Two checkpoints in; networks of their structure that are no kin of them, from a zoo, out."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import WembedError

if TYPE_CHECKING:
    from wembed.encoder import Item


class Strangers(NamedTuple):
    """What a pair is held against.

    Args:
        items: those that could be opened.
        failures: why others could not.
    """

    items: "list[Item]"
    failures: list[WembedError]

    @property
    def warning(self) -> str:
        """What is passed over, in words."""
        return f"{len(self.failures)} strangers are passed over, first {self.failures[0].message}"


def open_strangers(zoo: Zoo, rows: Iterable[CatalogRow], structure: str, kin: Collection[str], seed: int) -> Strangers:
    """Opens what a pair is held against.

    Args:
        zoo: where they are.
        rows: of the zoo.
        structure: that of the pair.
        kin: the ids, or the content hashes, of the pair.
        seed: draws them where there are many.
    """
    import numpy as np

    from wembed.checkpoint import open_checkpoint
    from wembed.kinship import MOST_STRANGERS, choose_strangers
    from wembed.zoo import spec_of_row

    found = Strangers([], [])
    for row in choose_strangers(list(rows), structure, kin, MOST_STRANGERS, np.random.default_rng(seed)):
        try:
            checkpoint = open_checkpoint(zoo.path_of(row))
            found.items.append((checkpoint, spec_of_row(zoo, checkpoint, row)))
        except WembedError as error:
            found.failures.append(error)
    return found
