"""A chunk of opened checkpoints in; a vector or an error for each out."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wembed.encoder import Encoder
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.zoo.embed.opened import Opened
from wembed.zoo.embed.results import Vector
from wembed.zoo.read import as_failure


class Made(NamedTuple):
    """What an encoder made of one checkpoint.

    Args:
        vector: [D] float32, or why there is none.
        seconds: that it took; of what was embedded together, its share by parameters.
    """

    vector: Vector | WembedError
    seconds: float


def make_vectors(encoder: Encoder, chunk: Sequence[Opened]) -> list[Made]:
    """Embeds some checkpoints together; where that fails, one by one, so that what fails fails alone."""
    start = time.perf_counter()
    try:
        vectors = _embedded(encoder, chunk)
    except WembedError as error:
        return _singly(encoder, chunk, error, time.perf_counter() - start)
    except OSError as error:
        refusal = as_failure(chunk[0].checkpoint.path, error)
        return _singly(encoder, chunk, refusal, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    whole = sum(opened.checkpoint.parameters for opened in chunk)
    shares = [opened.checkpoint.parameters / whole for opened in chunk]
    return [Made(vector, seconds * share) for vector, share in zip(vectors, shares, strict=True)]


def _singly(encoder: Encoder, chunk: Sequence[Opened], error: WembedError, seconds: float) -> list[Made]:
    if len(chunk) == 1:
        return [Made(error, seconds)]
    return [made for opened in chunk for made in make_vectors(encoder, [opened])]


def _embedded(encoder: Encoder, chunk: Sequence[Opened]) -> list[Vector | WembedError]:
    if not chunk:
        return []
    with np.errstate(all="ignore"):  # what overflows is refused below
        vectors = encoder.embed([(opened.checkpoint, opened.spec) for opened in chunk]).astype(np.float32)  # [N, D]
    return [
        vector if np.isfinite(vector).all() else _not_finite(encoder, opened)
        for vector, opened in zip(vectors, chunk, strict=True)
    ]


def _not_finite(encoder: Encoder, opened: Opened) -> WembedError:
    return CheckpointRefusedError(f"{opened.checkpoint.path}: its embedding by {encoder.name} is not finite")
