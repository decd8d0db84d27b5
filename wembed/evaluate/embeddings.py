"""Encoders and baselines as tables of vectors, so that every task asks all of them the same questions.

Legend: N checkpoints, D features.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Encoder, Item, Stats, pooled_stats
from wembed.graph import build_graph
from wembed.symmetry import structure_signature
from wembed.zoo import Progress

BATCH = 128  # networks of one structure that are embedded at once


@dataclass(frozen=True)
class Vectors:
    """Vectors of some checkpoints.

    Args:
        values: [N, D]; zeros where there is none.
        known: which checkpoints have one: an encoder of one shape knows no others, [N].
    """

    values: NDArray[np.float64]
    known: NDArray[np.bool_]


class Networks(Protocol):
    """Networks that are opened or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Item: ...


def embed_items(
    encoders: Mapping[str, Encoder], items: Networks, structures: Sequence[str], progress: Progress
) -> dict[str, Vectors]:
    """The embeddings of checkpoints by several encoders, those of one structure together.

    Args:
        encoders: name -> with what; one that has a `structure` embeds checkpoints of that structure only.
        items: N checkpoints; each is asked for once.
        structures: the structure of each, [N].
        progress: told how many are done, of N.

    Raises:
        CheckpointRefusedError: a tensor that is not finite.
    """
    count, done = len(items), 0
    found = {
        name: Vectors(np.zeros((count, encoder.dimension)), np.zeros(count, dtype=bool))
        for name, encoder in encoders.items()
    }
    for structure, places in _alike(structures).items():
        knowing = {n: each for n, each in encoders.items() if getattr(each, "structure", None) in (None, structure)}
        for start in range(0, len(places), BATCH):
            part = places[start : start + BATCH]
            opened = [items[place] for place in part]
            for name, encoder in knowing.items():
                found[name].values[part] = encoder.embed(opened)
                found[name].known[part] = True
            done += len(part)
            progress(done, count)
    return found


def _alike(structures: Sequence[str]) -> dict[str, list[int]]:
    alike: dict[str, list[int]] = defaultdict(list)
    for place, structure in enumerate(structures):
        alike[structure].append(place)
    return alike


class Statistics:
    """Layer statistics before they are scaled to unit length, which is what published regressions use."""

    name = "statistics"
    id = "statistics"

    def __init__(self) -> None:
        self.dimension = Stats().dimension

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Rows [B, D] of any length."""
        rows = [pooled_stats(build_graph(checkpoint, spec)) for checkpoint, spec in items]
        return np.array(rows, dtype=np.float32).reshape(len(items), self.dimension)


class RawWeights:
    """All weights of a network as one unit vector, in the order of the file: a baseline within one shape.

    Args:
        item: any network of the shape.
    """

    name = "cosine"
    id = "cosine"

    def __init__(self, item: Item) -> None:
        checkpoint, spec = item
        self.structure = structure_signature(checkpoint)
        self._names = tuple(spec.tensors)
        self.dimension = sum(checkpoint.tensors[name].size for name in self._names)

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        rows = [np.concatenate([checkpoint.read(name).ravel() for name in self._names]) for checkpoint, _ in items]
        flat = np.array(rows, dtype=np.float64)  # [B, D]
        unit: NDArray[np.float32] = (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)
        return unit
