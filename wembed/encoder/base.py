"""What every encoder offers, and what every embedding has in common."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry import SymmetrySpec

Item = tuple[Checkpoint, SymmetrySpec]


class Encoder(Protocol):
    """Turns checkpoints into vectors whose cosine says how alike they are, whatever the order of their neurons."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def id(self) -> str:
        """Its identity: two encoders with one id give the same vectors."""

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Unit vectors [B, D], one per item; none depends on what else is in the batch.

        Raises:
            CheckpointRefusedError: a tensor that is not finite.
        """


def unit_rows(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows [B, D] scaled to length 1; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def identity_of(name: str, config: Mapping[str, object], weights: bytes = b"") -> str:
    """An encoder's id: its name and twelve hex digits of its config and weights."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode() + weights)
    return f"{name}-{digest.hexdigest()[:12]}"
