"""Two networks in; the tensors that both hold and that were set, not learned, out.

Filter banks, windows and position tables are the same in networks that have nothing to do with each other. They are
known by their names, by their values, and by being in strangers too.
"""

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint

if TYPE_CHECKING:
    from wembed.kinship.shared import Shared

_NAMED = re.compile(r"buffer|stft|window|filter_?bank|inv_freq|position_ids|sinusoid|(^|[._])(dft|mel|fb)([._]|$)")
FEWEST_VALUES = 16  # different ones, of a large tensor that tells networks apart
_MOST_VALUES = 65_536  # that are looked at
_MOSTLY_ZERO = 0.8
_ORDERLY = 0.6  # of the bytes that a random order of the same values takes
_OVERHEAD = 16  # bytes that compression adds to anything
_MOST_ROWS = 256  # whose spectrum is looked at
_SHORTEST = 16  # of the rows whose spectrum is looked at
_PERIODIC = 0.8  # of the energy, in one frequency and those beside it
_LEAST_ROWS = 0.8  # of the rows that are periodic
_MOST_STRANGERS = 5  # that are looked into


def fixed_tensors(shared: "Shared", strangers: Sequence[Checkpoint]) -> frozenset[str]:
    """The tensors that two networks have alike and that say nothing about kinship.

    Args:
        shared: the two networks.
        strangers: networks that are no kin of theirs.
    """
    looked_into = strangers[:_MOST_STRANGERS]

    def says_nothing(name: str) -> bool:
        values, other = shared.first(name), shared.second(name)
        if not np.array_equal(values, other):
            return is_periodic(values) and is_periodic(other)  # it began as sines
        return is_fixed(name, values) or any(_holds(stranger, name, values) for stranger in looked_into)

    return frozenset(filter(says_nothing, shared.names))


def is_fixed(name: str, values: NDArray[np.generic]) -> bool:
    """Whether a tensor says nothing about kinship where two networks have the same."""
    if not values.size or not np.ptp(values):
        return False  # a constant has no order that could be compared
    if _NAMED.search(name.lower()):
        return True
    looked_at = values.reshape(-1)[:_MOST_VALUES]
    if (values == 0).mean() > _MOSTLY_ZERO:
        return _is_arranged(looked_at == 0)
    if len(np.unique(looked_at)) < min(FEWEST_VALUES, len(looked_at) / 4):
        return _is_arranged(looked_at)
    return is_periodic(values)


def _is_arranged(values: NDArray[np.generic]) -> bool:
    """Whether few values stand in an order that somebody chose: it takes far less to write down than a random one.

    Masks, identities and banks of filters do; what was learned and then pruned or quantised does not.
    """
    _, marks, counts = np.unique(values, return_inverse=True, return_counts=True)
    shares = counts / counts.sum()
    random = -float((shares * np.log2(shares)).sum()) * values.size / 8  # bytes: the entropy
    return len(zlib.compress(marks.astype(np.uint8).tobytes(), 9)) - _OVERHEAD < _ORDERLY * random


def is_periodic(values: NDArray[np.generic]) -> bool:
    """Whether a tensor is made of sines along one of its axes."""
    axes = range(values.ndim) if values.ndim > 1 else ()
    return any(_has_sines(np.moveaxis(values, axis, -1)) for axis in axes if values.shape[axis] >= _SHORTEST)


def _has_sines(values: NDArray[np.generic]) -> bool:
    """Whether the rows along the last axis are sines."""
    step = max(1, values[..., 0].size // _MOST_ROWS)
    rows = values.reshape(-1, values.shape[-1])[::step].astype(np.float64)
    wave = np.fft.rfft(rows - rows.mean(1, keepdims=True), axis=1)
    power = wave.real**2 + wave.imag**2
    beside = power.copy()
    beside[:, 1:] += power[:, :-1]
    beside[:, :-1] += power[:, 1:]
    return bool((beside.max(1) > _PERIODIC * power.sum(1)).mean() > _LEAST_ROWS)


def _holds(stranger: Checkpoint, name: str, values: NDArray[np.generic]) -> bool:
    info = stranger.tensors.get(name)
    return info is not None and info.shape == values.shape and np.array_equal(stranger.read(name), values)
