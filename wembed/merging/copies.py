"""Networks in; which of their tensors of whole numbers differ, of which a merge holds the first one's, out."""

from collections.abc import Sequence

import numpy as np

from wembed.checkpoint import Checkpoint


def differing_copies(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """The names of tensors of whole numbers that are copied from the first and differ in another.

    Single numbers are not looked at: batch norms count their batches in them.
    """
    first, *others = checkpoints
    whole = [name for name, info in first.tensors.items() if not info.is_floating and info.shape]
    return [name for name in whole if any(not _is_alike(first, other, name) for other in others)]


def _is_alike(first: Checkpoint, other: Checkpoint, name: str) -> bool:
    return name in other.tensors and np.array_equal(first.read_stored(name), other.read_stored(name))
