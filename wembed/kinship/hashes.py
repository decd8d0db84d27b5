"""A checkpoint in; for each tensor a hash that tells whether another network has the same one, out.

The hash is of a tensor's values as a set with repeats: it is blind to the order of neurons, to dtypes that hold the
values exactly, and to the tensor's name. Rescaling changes it.
"""

import hashlib

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.kinship.fixed import is_fixed

_DIGITS = 16


def tensor_hashes(checkpoint: Checkpoint) -> dict[str, str]:
    """Tensor name -> sixteen hex digits; without tensors that were set and not learned, as far as that can be told."""
    found = {}
    for name in (name for name, info in checkpoint.tensors.items() if info.is_floating and info.size):
        values = checkpoint.read(name)
        if np.ptp(values) and not is_fixed(name, values):
            ordered = np.sort(values.reshape(-1).astype(np.float64)) + 0.0  # one zero, whatever its sign
            digest = hashlib.sha256(repr(values.ndim).encode() + ordered.tobytes())
            found[name] = digest.hexdigest()[:_DIGITS]
    return found
