"""What a block says about itself, whatever the order of its neurons: quantiles and profiles.

All features are functions of V = fan_in W, seen as an operator between channel averages: duplicating channels without
changing the function repeats V's entries and changes none of them. Hence quantiles without interpolation, and
population moments. Where a side is known only up to signs, entries stand beside their negatives. All of it comes from
two readings of the weight, piece by piece.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.ahead import read_ahead
from wembed.encoder.quantiles import quantiles, quantiles_of
from wembed.graph import Block, Group, Tile, WeightGraph

Vector = NDArray[np.float64]

FEATURE_VERSION = 3  # to be raised with every change of what is computed here

VECTOR_FEATURES = 8

_WEIGHT_LEVELS = 13
_NORM_LEVELS = 7
_PROFILE_MODES = 6
_TAP_MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
_LARGEST_KEPT = 1 << 24  # entries of a weight
_NO_BIAS = 1e-5  # of a root mean square of V: what moving biases leaves where there are none is far below it
_SMALL_BIAS = 0.3  # of the size of its parts: what is left of a bias below that is mostly rounding error


@dataclass(frozen=True)
class BlockFeatures:
    """The features of one block, each a vector of fixed length.

    Args:
        size: logs of the root mean square of V and of the bias, the latter above a floor.
        weights: quantiles of V over its root mean square.
        rows: quantiles of the targets' norms, relative to their mean square.
        columns: the same for the sources.
        bias: quantiles of the bias over the same.
        inputs: cosine modes of the sources' norms along an ordered source axis, else 0.
        outputs: cosine modes of the targets' norms and of the bias along an ordered target axis, else 0.
        taps: cosine modes of the taps' norms over their grid.
    """

    size: Vector
    weights: Vector
    rows: Vector
    columns: Vector
    bias: Vector
    inputs: Vector
    outputs: Vector
    taps: Vector

    @staticmethod
    def lengths() -> tuple[int, ...]:
        """The length of each vector, in order."""
        modes = _PROFILE_MODES
        levels = (2, _WEIGHT_LEVELS, _NORM_LEVELS, _NORM_LEVELS, _NORM_LEVELS)
        return (*levels, modes, 2 * modes, len(_TAP_MODES))

    def concatenated(self) -> Vector:
        """All of them, one after the other."""
        return np.concatenate([getattr(self, part.name) for part in fields(self)])


class Weight:
    """A block's canonical weight in float32, in pieces: kept while it is small, else read anew each time.

    What is read anew is read a piece ahead of its use, see `read_ahead`.

    Args:
        block: whose.
    """

    def __init__(self, block: Block) -> None:
        self._block = block
        self._is_kept = block.entries <= _LARGEST_KEPT
        self._kept: tuple[Tile, ...] = ()

    def __iter__(self) -> Iterator[Tile]:
        if self._is_kept and not self._kept:
            self._kept = tuple(self._block.tiles())
        return iter(self._kept) if self._is_kept else read_ahead(self._block.tiles())

    def let_go(self) -> None:
        """Keep nothing from now on: it is read anew each time."""
        self._is_kept, self._kept = False, ()

    def whole(self) -> NDArray[np.float32]:
        """All of it, [T, S, taps]."""
        pieces = list(self)
        if len(pieces) == 1:
            return pieces[0].weight
        shape = (max(p.targets.stop for p in pieces), max(p.sources.stop for p in pieces), pieces[0].weight.shape[2])
        weight = np.empty(shape, dtype=np.float32)
        for piece in pieces:
            weight[piece.targets, piece.sources] = piece.weight
        return weight


@dataclass(frozen=True)
class Energy:
    """Means of the squares of a weight: over all of it, and by target [T], source [S] and tap [K]."""

    mean: float
    rows: Vector
    columns: Vector
    taps: Vector

    @classmethod
    def of(cls, graph: WeightGraph, block: Block, weight: Weight) -> "Energy":
        """Of a block whose weight was opened."""
        targets, sources = graph.groups[block.target].size, graph.groups[block.source].size
        taps = math.prod(block.taps)
        rows, columns = np.zeros(targets), np.zeros((sources, taps))
        for tile in weight:
            squares = np.square(tile.weight.reshape(len(tile.weight), -1))
            rows[tile.targets] += squares.sum(1)
            columns[tile.sources] += (np.ones(len(squares), np.float32) @ squares).reshape(-1, taps)
        total = float(rows.sum())
        mean = total / (targets * sources * taps)
        return cls(
            mean, rows / (sources * taps), columns.sum(1) / (targets * taps), columns.sum(0) / (targets * sources)
        )


def block_features(graph: WeightGraph, block: Block) -> BlockFeatures:
    """The features of a block of a graph."""
    weight = Weight(block)
    return features_of(graph, block, weight, Energy.of(graph, block, weight))


def features_of(graph: WeightGraph, block: Block, weight: Weight, energy: Energy) -> BlockFeatures:
    """The same of a block whose weight was opened and measured."""
    source, target = graph.groups[block.source], graph.groups[block.target]
    rms = math.sqrt(energy.mean)
    rows, columns, taps = (np.sqrt(part / (energy.mean or 1.0)) for part in (energy.rows, energy.columns, energy.taps))
    symmetric = source.signed or target.signed
    levels = quantiles_of(lambda: (tile.weight for tile in weight), block.entries, _WEIGHT_LEVELS, symmetric)
    parts = float(np.sqrt(np.mean(np.square(block.bias_size))))
    fan_in = source.size * math.prod(block.taps)
    bias_size = float(np.sqrt(np.mean(np.square(block.bias)))) + _SMALL_BIAS * parts + _NO_BIAS * fan_in * rms
    bias = block.bias / (bias_size or 1.0)
    return BlockFeatures(
        size=np.array([np.log(fan_in * rms + 1e-3), np.log(bias_size + 1e-3)]),
        weights=levels / (rms or 1.0),
        rows=quantiles(rows, _NORM_LEVELS),
        columns=quantiles(columns, _NORM_LEVELS),
        bias=quantiles(bias, _NORM_LEVELS, symmetric=target.signed),
        inputs=_profile(columns, source),
        outputs=np.concatenate([_profile(rows, target), _profile(bias, target)]),
        taps=_tap_profile(taps, block.taps),
    )


def vector_features(values: Vector, symmetric: bool) -> Vector:
    """What a vector along a group says: log of its root mean square, and its quantiles over that, [1 + 7].

    Args:
        values: a norm that is not folded, PReLU slopes, or whatever else lies along a group and is no bias.
        symmetric: whether its signs are open.
    """
    rms = float(np.sqrt(np.mean(np.square(values))))
    return np.concatenate([[np.log(rms + 1e-3)], quantiles(values / (rms or 1.0), _NORM_LEVELS, symmetric)])


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
