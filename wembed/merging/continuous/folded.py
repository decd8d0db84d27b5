"""Gains in what reads them: tensors in; the same function with gains of one, in which streams can be turned, out.

`unfolded` brings tensors into the form that a given network has: its gains, and its norms' biases.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.merging.continuous.streams import Norm, Stream
from wembed.merging.tensors import Tensors

Vector = NDArray[np.float64]

_DEAD = 1e-6  # of a norm's largest gain: below it, the weights that read the channel cannot be told
_LEAST = 1e-3  # of the largest, that a gain has to which weights are fitted


def folded(tensors: Tensors, stream: Stream) -> Tensors:
    """The same function with all gains one, and biases of norms zero wherever readers can take them."""
    out = dict(tensors)
    for norm in stream.norms:
        gain = tensors[norm.gain]
        if norm.bias:
            out |= _shifted(out, norm, tensors[norm.bias])
            out[norm.bias] = tensors[norm.bias] / gain if norm.keeps_bias else np.zeros_like(gain)
        out |= {name: out[name] * _along(gain, out[name].ndim, axis) for name, axis in norm.readers.items()}
        out[norm.gain] = np.ones_like(gain)
    return out


def unfolded(tensors: Tensors, stream: Stream, like: Tensors) -> Tensors:
    """Folded tensors with the gains of another network, and its norms' biases wherever readers can take the rest.

    Args:
        tensors: with gains of one.
        stream: of both.
        like: whose form to take; where its gains are next to nothing, the result's are small.
    """
    out = dict(tensors)
    for norm in stream.norms:
        gain = _alive(like[norm.gain])
        out |= {name: out[name] / _along(gain, out[name].ndim, axis) for name, axis in norm.readers.items()}
        if norm.bias:
            bias = out[norm.bias] * gain if norm.keeps_bias else like[norm.bias]
            out |= _shifted(out, norm, -bias)
            out[norm.bias] = bias
        out[norm.gain] = gain
    return out


def can_fold(tensors: Tensors, stream: Stream) -> bool:
    """Whether all gains that a bias has to be divided by are well away from zero."""
    kept = [np.abs(tensors[norm.gain]) for norm in stream.norms if norm.keeps_bias]
    return all(bool(gain.min() > _DEAD * gain.max()) for gain in kept)


def _shifted(tensors: Tensors, norm: Norm, bias: Vector) -> Tensors:
    """The readers' biases after they took a constant [n]."""
    return {
        name: tensors[name] + np.tensordot(tensors[weight], bias, (norm.readers[weight], 0))
        for weight, name in norm.biases.items()
    }


def _alive(gain: Vector) -> Vector:
    """A gain, with something small in the place of what is next to nothing."""
    least = _LEAST * (float(np.abs(gain).max()) or 1.0)
    return np.where(np.abs(gain) < least, least, gain)


def _along(values: Vector, axes: int, axis: int) -> Vector:
    """A vector [n] that broadcasts along one of some axes."""
    return values.reshape([-1 if number == axis else 1 for number in range(axes)])
