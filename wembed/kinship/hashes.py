"""A checkpoint in; for each tensor a hash that tells whether another network has the same one, out.

The hash is of a tensor's sizes and its values as a set with repeats: it is blind to the order of neurons, to dtypes
that hold the values exactly, and to the tensor's name. Rescaling and rounding change it. Of few different values, such
as signs, independent networks can have the same set: what holds no more has no hash.
"""

import hashlib

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.kinship.fixed import FEWEST_VALUES, is_fixed

_DIGITS = 16
_FEWEST = 3  # different values of the shortest tensors: more than signs
_MOSTLY = 0.75  # of a short tensor's values are different


def tensor_hashes(checkpoint: Checkpoint) -> dict[str, str]:
    """Tensor name -> sixteen hex digits; without tensors that were set and not learned, as far as that can be told."""
    found = {}
    for name in (name for name, info in checkpoint.tensors.items() if info.is_floating and info.size):
        values = checkpoint.read(name)
        ordered = np.sort(values.reshape(-1).astype(np.float64)) + 0.0  # one zero, whatever its sign
        different = 1 + np.count_nonzero(np.diff(ordered))
        enough = max(_FEWEST, min(FEWEST_VALUES, _MOSTLY * values.size))
        if different >= enough and not is_fixed(name, values):
            digest = hashlib.sha256(repr(sorted(values.shape)).encode() + ordered.tobytes())
            found[name] = digest.hexdigest()[:_DIGITS]
    return found
