"""A network too large to be held: its tensors, moved by an action, each read from the file when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.merging.matching.moving import one_acted
from wembed.symmetry import Action, SymmetrySpec


@dataclass(frozen=True)
class LargeTensors(Mapping[str, NDArray[np.float64]]):
    """The tensors of a spec after an action, float32 for the sake of memory.

    Args:
        checkpoint: where they lie.
        spec: names them.
        action: what moves them.
    """

    checkpoint: Checkpoint
    spec: SymmetrySpec
    action: Action

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Read one tensor."""
        return one_acted(self.action, self.spec, _Reading(self.checkpoint), name)  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self.spec.tensors)

    def __len__(self) -> int:
        """Their number."""
        return len(self.spec.tensors)


@dataclass(frozen=True)
class _Reading(Mapping[str, NDArray[np.float32]]):
    """The tensors of a file."""

    checkpoint: Checkpoint

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.checkpoint.read(name).astype(np.float32, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self.checkpoint.tensors)

    def __len__(self) -> int:
        return len(self.checkpoint.tensors)
