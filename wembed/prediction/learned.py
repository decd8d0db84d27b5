"""Embeddings in; the part that tells how good a network is out.

A trained encoder's embedding holds what it learned, and behind that a fixed signature of single neurons, which tells
runs apart and would only drown the rest: the first `global_dim` numbers are the learned ones.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Encoder, unit_rows


def learned_part(encoder: Encoder, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The learned part of embeddings [N, D] as unit rows [N, D']; all of them where an encoder has no such part."""
    length = getattr(getattr(encoder, "config", None), "global_dim", None)
    if length is None:
        return vectors.astype(np.float64)
    return unit_rows(vectors[:, :length].astype(np.float64)).astype(np.float64)
