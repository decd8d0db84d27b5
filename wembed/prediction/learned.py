"""Embeddings in; the part that tells how good a network is out.

What the head of a trained encoder reads stands at the front of its embeddings; what stands behind it tells runs apart
and would only drown the rest.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Encoder, unit_rows


def learned_part(encoder: Encoder, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """What an encoder's head reads of embeddings [N, D] as unit rows [N, D']; all where it has no head."""
    head = getattr(getattr(encoder, "module", None), "head", None)
    if head is None:
        return vectors.astype(np.float64)
    return unit_rows(vectors[:, : head.length].astype(np.float64)).astype(np.float64)
