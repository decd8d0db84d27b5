"""Invariance: how much an embedding changes when neurons are shuffled and rescaled, which should be nothing.

A change is the distance of two embeddings of one function as a share of their length. It stands beside the distance to
the nearest stranger: a small change is no good where strangers are as near.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.results import Result
from wembed.evaluate.retrieval.queries import Copies, disguised
from wembed.evaluate.stability.nearness import Distances, distances, nearest_strangers, sampled

TASK = "invariance"
SAMPLE = 50


def sample(material: Material, seed: int) -> list[int]:
    """The checkpoints that are looked at."""
    return sampled(material, SAMPLE, np.random.default_rng([seed, 14]))


def copies(material: Material, places: Sequence[int], seed: int) -> Copies:
    """The same functions, permuted and rescaled."""
    return Copies([material.items[place] for place in places], disguised, (seed, 15))


def invariance_results(
    material: Material,
    places: Sequence[int],
    gallery: Mapping[str, Vectors],
    found: Mapping[str, Vectors],
    splits: Mapping[str, Mask],
) -> Iterator[Result]:
    """Rows of all encoders and baselines.

    Args:
        material: the zoo.
        places: the checkpoints that are looked at, [Q].
        gallery: encoder or baseline -> its vectors of the zoo.
        found: encoder or baseline -> its vectors of the copies.
        splits: what to call a part of the zoo -> which checkpoints it holds, [N].
    """
    for split, mask in splits.items():
        numbers = [number for number, place in enumerate(places) if mask[place]]
        chosen = [places[number] for number in numbers]
        if not chosen:
            continue
        for name, vectors in gallery.items():
            values: dict[str, float | None] = dict.fromkeys(("largest_change", "median_change", "nearest_stranger"))
            if vectors.known[chosen].all() and found[name].known[numbers].all():
                values = _changes(material, vectors, chosen, found[name].values[numbers])
            yield from (Result(TASK, name, metric, value, len(chosen), split) for metric, value in values.items())


def _changes(material: Material, vectors: Vectors, places: Sequence[int], moved: Distances) -> dict[str, float | None]:
    lengths = np.linalg.norm(vectors.values[places], axis=1)
    changes = distances(vectors.values[places], moved) / np.where(lengths > 0, lengths, 1.0)
    strangers = nearest_strangers(material, vectors, places)
    known = strangers[~np.isnan(strangers)]
    return {
        "largest_change": float(changes.max()),
        "median_change": float(np.median(changes)),
        "nearest_stranger": float(known.min()) if len(known) else None,
    }
