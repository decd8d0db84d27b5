"""Checkpoints and their vectors in; what a reader of the map asks about one of them out: its neighbours and its layers.

Legend: N checkpoints, D features.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Item, unit_rows
from wembed.evaluate.results import Layer, Neighbour

NEIGHBOURS = 10
_ROWS = 512  # of the table of cosines, at a time


def nearest(ids: Sequence[str], vectors: NDArray[np.float64]) -> list[tuple[Neighbour, ...]]:
    """For each checkpoint the nearest others by cosine, nearest first; of equals, the earlier one first.

    Args:
        ids: N names.
        vectors: of any length, [N, D].
    """
    unit = unit_rows(vectors).astype(np.float64)
    found: list[tuple[Neighbour, ...]] = []
    for start in range(0, len(ids), _ROWS):
        cosines = np.clip(unit[start : start + _ROWS] @ unit.T, -1.0, 1.0)  # [rows, N]
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        for row in cosines:
            best = _largest(row, min(NEIGHBOURS, len(ids) - 1))
            found.append(tuple(Neighbour(ids[place], float(row[place])) for place in best))
    return found


def layers_of(item: Item) -> tuple[Layer, ...]:
    """The weights of a checkpoint, in the order in which data meets them."""
    checkpoint, spec = item
    met = dict.fromkeys(name for layer in spec.layers for _, name in sorted(layer.tensors.items(), key=_weight_first))
    names = [name for name in {**met, **checkpoint.tensors} if name in spec.tensors]
    return tuple(_layer(name, checkpoint.read(name)) for name in names if checkpoint.tensors[name].is_floating)


def _weight_first(role: tuple[str, str]) -> bool:
    return role[0] != "weight"


def _layer(name: str, values: NDArray[np.generic]) -> Layer:
    exact = values.astype(np.float64)
    mean, deviation = (float(exact.mean()), float(exact.std())) if exact.size else (0.0, 0.0)
    return Layer(name, tuple(values.shape), mean, deviation)


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Where the largest values are, largest first; of equals, the first ones."""
    if not count:
        return np.empty(0, dtype=np.intp)
    least = np.partition(values, -count)[-count]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")][:count]
