"""Checkpoints in; how far each is from the nearest stranger out: what other distances are to be measured by.

A stranger has the same configuration and is of another family. Legend: Q checkpoints that are looked at, N of the zoo.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Material

Distances = NDArray[np.float64]


def sampled(material: Material, most: int, generator: np.random.Generator) -> list[int]:
    """Last snapshots of test runs, spread over the configurations as evenly as their numbers allow."""
    places = generator.permutation(np.flatnonzero(material.side("test") & material.finals()))
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, int]] = []
    for place in places.tolist():
        config = str(material.configs[place])
        turns.append((seen.get(config, 0), len(turns), place))  # the first of every configuration comes first
        seen[config] = seen.get(config, 0) + 1
    return sorted(place for _, _, place in sorted(turns)[:most])


def nearest_strangers(material: Material, vectors: Vectors, places: Sequence[int]) -> Distances:
    """The distance of each to its nearest stranger, not a number where it has none, [Q]."""
    configs, families, values = material.configs, material.families, vectors.values
    squares = np.square(values).sum(1)
    found = np.full(len(places), np.nan)
    for number, place in enumerate(places):
        strangers = np.flatnonzero(vectors.known & (configs == configs[place]) & (families != families[place]))
        if len(strangers):
            nearest = strangers[np.argmin(squares[strangers] - 2 * values[strangers] @ values[place])]
            found[number] = np.linalg.norm(values[nearest] - values[place])  # exact where it is small
    return found


def distances(some: Distances, other: Distances) -> Distances:
    """Euclidean distances of two tables [Q, D], row by row."""
    return np.asarray(np.linalg.norm(some - other, axis=1))
