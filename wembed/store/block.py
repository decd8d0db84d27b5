"""Block: some rows of a table, of which only those that are asked for are turned into Python objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wembed.store.schema import PLAIN_COLUMNS, Listed, Vectors


@dataclass(frozen=True)
class Block:
    """Some rows of a table.

    Args:
        vectors: [N, D] float32; not to be written to.
        dataset: the version of the table that they are read from.
        offsets: [N] where they stand in it.
    """

    vectors: Vectors
    dataset: Any  # a Lance dataset, which has no types
    offsets: NDArray[np.uint64]

    def take(
        self, indices: Sequence[int] | NDArray[np.intp], columns: Sequence[str] = PLAIN_COLUMNS
    ) -> list[dict[str, Listed]]:
        """Gives columns of the rows at some of the N places, in the order of the places."""
        if not len(indices):
            return []
        wanted = self.offsets[np.asarray(indices, np.intp)]
        found: list[dict[str, Listed]] = self.dataset.take(wanted.tolist(), columns=list(columns)).to_pylist()
        return found


def block_of(dataset: Any, batch: Any) -> Block:  # Lance and Arrow have no types
    """Gives the block of a batch or table with the columns `vector` and `_rowoffset`."""
    return Block(vectors_of(batch), dataset, batch["_rowoffset"].to_numpy())


def vectors_of(batch: Any) -> Vectors:  # Arrow has no types
    """Gives the vectors [N, D] of a batch or table."""
    column = batch["vector"]
    flat = (column.combine_chunks() if hasattr(column, "chunks") else column).flatten()
    vectors: Vectors = flat.to_numpy().reshape(-1, column.type.list_size)
    return vectors
