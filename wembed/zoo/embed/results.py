"""What becomes of checkpoints that are to be embedded: an embedding or a failure each, in the order asked."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.store import EmbeddingTable
from wembed.zoo.failure import Failure

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """An embedded checkpoint.

    Args:
        id: of the checkpoint.
        params: number of its parameters.
        seconds: that opening it took, and its share, by parameters, of what its chunk's embedding took.
        skipped: whether its embedding was there already.
        vector: [D]; None if it was there already and nobody asked for it.
        notices: what was unwrapped or left out when it was read.
        structure: signature of its names and shapes.
        content: hash of its weights.
    """

    id: str
    params: int
    seconds: float
    skipped: bool
    vector: Vector | None = None
    notices: tuple[str, ...] = ()
    structure: str = ""
    content: str = ""


@dataclass(frozen=True)
class EmbedResult:
    """What became of some checkpoints.

    Args:
        done: those that are embedded, in the order asked.
        failures: those that are not, in the order asked.
    """

    done: list[Embedded]
    failures: list[Failure]


def with_vectors(result: EmbedResult, table: EmbeddingTable) -> EmbedResult:
    """Gives the same with the vectors of what is embedded, read from the table."""
    vectors = table.find([entry.id for entry in result.done])
    done = [dataclasses.replace(entry, vector=vectors[entry.id]) for entry in result.done]
    return EmbedResult(done, result.failures)
