"""A zoo in; the embedding of each of its rows out, made where it wasn't there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import Zoo
from wembed.store import Key
from wembed.zoo.embed import embed_zoo
from wembed.zoo.encoders import find_encoder, open_table
from wembed.zoo.failure import Failure
from wembed.zoo.progress import Progress, silent

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class ZooVectors:
    """The embeddings of a zoo.

    Args:
        by_id: id -> its embedding [D], of length 1.
        failures: of the checkpoints that have none.
    """

    by_id: Mapping[str, Vector]
    failures: list[Failure]


def zoo_vectors(zoo: Zoo, encoder: str, store: str | None, progress: Progress = silent) -> ZooVectors:
    """The embeddings of all rows by one encoder.

    Args:
        zoo: whose rows.
        encoder: its name.
        store: where embeddings are kept; None for the zoo.
        progress: told after every checkpoint.

    Raises:
        WembedError: the table can't be read or written, or there is no such encoder.
    """
    found = find_encoder(encoder, zoo)
    table = open_table(zoo, found, store)
    if table is None:
        raise ValueError("a zoo has a place for its embeddings")
    result = embed_zoo(zoo, found, table, progress)
    keys = {row.id: Key(row.content, row.spec) for row in zoo.rows()}
    vectors = table.fetch(list(keys.values()))
    return ZooVectors({name: vectors[key] for name, key in keys.items() if key in vectors}, result.failures)
