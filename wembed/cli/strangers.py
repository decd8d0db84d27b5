"""Two checkpoints in; networks of their structure that are no kin of them, from a zoo, out."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.cli.output import Output
from wembed.errors import WembedError

if TYPE_CHECKING:
    from wembed.encoder import Item


def open_strangers(output: Output, root: Path, structure: str, kin: Collection[str], seed: int) -> "list[Item]":
    """Opens what a pair is held against; none where there is no zoo, and one warning for those that can't be opened.

    Args:
        output: how to speak.
        root: of the zoo.
        structure: that of the pair.
        kin: the ids, or the content hashes, of the pair.
        seed: draws them where there are many.
    """
    import numpy as np

    from wembed.catalog import Zoo
    from wembed.checkpoint import open_checkpoint
    from wembed.kinship import MOST_STRANGERS, choose_strangers
    from wembed.zoo import spec_of_row

    if not Zoo.is_zoo(root):
        return []
    zoo = Zoo.open(root)
    opened, failures = [], []
    for row in choose_strangers(zoo.rows(), structure, kin, MOST_STRANGERS, np.random.default_rng(seed)):
        try:
            checkpoint = open_checkpoint(zoo.path_of(row))
            opened.append((checkpoint, spec_of_row(zoo, checkpoint, row)))
        except WembedError as error:
            failures.append(error)
    if failures:
        output.warn(f"{len(failures)} strangers are passed over, first {failures[0].message}")
    return opened
