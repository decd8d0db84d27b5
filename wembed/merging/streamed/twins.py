"""Networks in; which of their tensors are one tensor under two names out (tied embeddings that a file holds twice)."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from wembed.checkpoint import Checkpoint

_PROBE = 64  # elements, which tell most tensors apart


def first_names(checkpoints: Sequence[Checkpoint]) -> dict[str, str]:
    """For each floating-point tensor the first one that has the same elements in every network, mostly itself.

    Args:
        checkpoints: of the same tensors.
    """
    first = checkpoints[0]
    alike: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    found = {}
    for name, info in first.tensors.items():
        if info.is_floating:
            kept = alike[info.dtype, info.shape]
            found[name] = next((other for other in kept if _are_one(checkpoints, other, name)), name)
            if found[name] == name:
                kept.append(name)
    return found


def _are_one(checkpoints: Sequence[Checkpoint], one: str, other: str) -> bool:
    for part in (slice(_PROBE), slice(None)):
        for checkpoint in checkpoints:
            first, second = (checkpoint.read_stored(name).reshape(-1)[part] for name in (one, other))
            if not np.array_equal(first, second):
                return False
    return True
