"""What a block says about itself, whatever the order of its neurons: quantiles, spectrum, profiles.

All features are functions of V = fan_in W, seen as an operator between channel averages: duplicating channels without
changing the function repeats V's entries and changes none of them. Hence quantiles without interpolation, population
moments, and singular values as shares of the Hilbert-Schmidt norm. Where a side is known only up to signs, entries
stand beside their negatives.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from wembed.graph import Block, Group, WeightGraph

Vector = NDArray[np.float64]

FEATURE_VERSION = 2  # to be raised with every change of what is computed here

VECTOR_FEATURES = 8

_WEIGHT_LEVELS = 13
_NORM_LEVELS = 7
_SINGULAR_VALUES = 12
_PROFILE_MODES = 6
_TAP_MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
_TINY = 1e-12
_SMALL_BIAS = 0.3  # of the size of its parts: what is left of a bias below that is mostly rounding error


@dataclass(frozen=True)
class BlockFeatures:
    """The features of one block, each a vector of fixed length.

    Args:
        size: logs of the root mean square of V and of the bias, the latter above a floor.
        weights: quantiles of V over its root mean square.
        rows: quantiles of the targets' norms, relative to their mean square.
        columns: the same for the sources.
        spectrum: the largest singular values, as shares of the root of the sum of their squares.
        bias: quantiles of the bias over the same.
        inputs: cosine modes of the sources' norms along an ordered source axis, else 0.
        outputs: cosine modes of the targets' norms and of the bias along an ordered target axis, else 0.
        taps: cosine modes of the taps' norms over their grid.
    """

    size: Vector
    weights: Vector
    rows: Vector
    columns: Vector
    spectrum: Vector
    bias: Vector
    inputs: Vector
    outputs: Vector
    taps: Vector

    @staticmethod
    def lengths() -> tuple[int, ...]:
        """The length of each vector, in order."""
        modes = _PROFILE_MODES
        levels = (2, _WEIGHT_LEVELS, _NORM_LEVELS, _NORM_LEVELS, _SINGULAR_VALUES, _NORM_LEVELS)
        return (*levels, modes, 2 * modes, len(_TAP_MODES))

    def concatenated(self) -> Vector:
        """All of them, one after the other."""
        return np.concatenate([getattr(self, part.name) for part in fields(self)])


def block_features(graph: WeightGraph, block: Block) -> BlockFeatures:
    """The features of a block of a graph; its weight is read once."""
    source, target = graph.groups[block.source], graph.groups[block.target]
    weight = block.weight()  # [T, S, taps]
    fan_in = weight.shape[1] * weight.shape[2]
    rms = float(np.sqrt(np.mean(np.square(weight))))
    unit = weight / (rms or 1.0)
    energy = np.square(unit)
    rows, columns = np.sqrt(energy.mean((1, 2))), np.sqrt(energy.mean((0, 2)))
    parts = float(np.sqrt(np.mean(np.square(block.bias_size))))
    bias_size = float(np.sqrt(np.mean(np.square(block.bias)))) + _SMALL_BIAS * parts
    bias = block.bias / (bias_size or 1.0)
    return BlockFeatures(
        size=np.array([np.log(fan_in * rms + 1e-3), np.log(bias_size + 1e-3)]),
        weights=quantiles(unit, _WEIGHT_LEVELS, symmetric=source.signed or target.signed),
        rows=quantiles(rows, _NORM_LEVELS),
        columns=quantiles(columns, _NORM_LEVELS),
        spectrum=_spectrum(unit),
        bias=quantiles(bias, _NORM_LEVELS, symmetric=target.signed),
        inputs=_profile(columns, source),
        outputs=np.concatenate([_profile(rows, target), _profile(bias, target)]),
        taps=_tap_profile(np.sqrt(energy.mean((0, 1))), block.taps),
    )


def vector_features(values: Vector, symmetric: bool) -> Vector:
    """What a vector along a group says: log of its root mean square, and its quantiles over that, [1 + 7].

    Args:
        values: a norm that is not folded, PReLU slopes, or whatever else lies along a group and is no bias.
        symmetric: whether its signs are open.
    """
    rms = float(np.sqrt(np.mean(np.square(values))))
    return np.concatenate([[np.log(rms + 1e-3)], quantiles(values / (rms or 1.0), _NORM_LEVELS, symmetric)])


def quantiles(values: NDArray[np.float64], count: int, symmetric: bool = False) -> Vector:
    """Empirical quantiles [count] at evenly spaced levels, each one of the values: repeating all changes none.

    Args:
        values: any shape.
        count: number of levels.
        symmetric: of the values together with their negatives.
    """
    flat = values.reshape(-1)
    if symmetric:
        flat = np.concatenate([flat, -flat])
    if not flat.size:
        return np.zeros(count)
    # Irrational levels: no level times a length is whole, so rounding never picks a neighbour.
    levels = (np.arange(count) + 0.5) / count + np.sqrt(2.0) * 1e-4
    ranks = np.minimum((levels * flat.size).astype(np.intp), flat.size - 1)
    chosen: Vector = np.partition(flat, np.unique(ranks))[ranks]
    return chosen


def _spectrum(unit: NDArray[np.float64]) -> Vector:
    matrix = unit.reshape(unit.shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    squares = np.sort(np.maximum(np.linalg.eigvalsh(gram), 0.0))[::-1][:_SINGULAR_VALUES]
    shares = np.zeros(_SINGULAR_VALUES)
    shares[: len(squares)] = np.sqrt(squares / max(float(np.trace(gram)), _TINY))
    return shares


def _profile(values: Vector, group: Group) -> Vector:
    if not group.ordered:
        return np.zeros(_PROFILE_MODES)
    return cosine_modes(len(values), _PROFILE_MODES) @ values / len(values)


def _tap_profile(values: Vector, grid: tuple[int, ...]) -> Vector:
    """Cosine modes over the last two axes of the grid; a one-dimensional grid lies along the second."""
    if values.size == 1:
        return np.zeros(len(_TAP_MODES))
    height, width = (1, *grid)[-2:]
    plane = values.reshape(-1, height, width).mean(0)
    vertical = np.vstack([np.ones(height), cosine_modes(height, 2)])  # [3, height]
    horizontal = np.vstack([np.ones(width), cosine_modes(width, 2)])  # [3, width]
    modes = vertical @ plane @ horizontal.T / plane.size  # [3, 3]
    return np.array([modes[mode] for mode in _TAP_MODES])


def cosine_modes(size: int, count: int) -> NDArray[np.float64]:
    """Rows cos(pi m (i + .5) / size) for m = 1 to count, [count, size]."""
    places = (np.arange(size) + 0.5) / size
    return np.cos(np.pi * np.outer(np.arange(1, count + 1), places))
