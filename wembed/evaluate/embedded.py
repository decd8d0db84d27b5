"""Networks in; what every encoder and baseline makes of them out, each network opened and embedded once.

All encoders of a zoo, its raw weights as a baseline, and its layer statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.encoder import Encoder, Stats, unit_rows
from wembed.evaluate.embeddings import Networks, RawWeights, Statistics, Vectors, embed_items
from wembed.evaluate.material import Material
from wembed.evaluate.retrieval.answers import Answers
from wembed.evaluate.retrieval.tasks import Task
from wembed.zoo import Progress

IN_ORDER = "cosine, order kept"


@dataclass
class Steps:
    """Progress over several pieces of work, one after the other.

    Args:
        progress: told how much is done, of how much.
        total: of all pieces.
        done: of those that are over.
    """

    progress: Progress
    total: int
    done: int = 0

    def next(self) -> Progress:
        """What the next piece says its own progress to."""
        start = self.done

        def say(done: int, _: int) -> None:
            self.done = start + done
            self.progress(self.done, self.total)

        return say


@dataclass(frozen=True)
class Embedded:
    """A zoo as everyone sees it.

    Args:
        material: the zoo.
        everyone: name -> encoder or baseline, the main encoder first.
        gallery: name -> its vectors of the zoo.
        statistics: layer statistics of the zoo, not scaled to unit length.
        steps: of the work.
    """

    material: Material
    everyone: Mapping[str, Encoder]
    gallery: Mapping[str, Vectors]
    statistics: Vectors
    steps: Steps

    def of(self, items: Networks, structures: Sequence[str]) -> dict[str, Vectors]:
        """Name -> vectors of other networks, whose structures are those given."""
        return embed_items(self.everyone, items, structures, self.steps.next())

    def answers(self, task: Task) -> dict[str, Answers]:
        """Name -> what it makes of a task."""
        if not task.draws:
            return {name: Answers(vectors, [vectors]) for name, vectors in self.gallery.items()}
        structures = task.structures(self.material)
        draws = [self.of(items, structures) for items in task.draws]
        return {name: Answers(vectors, [draw[name] for draw in draws]) for name, vectors in self.gallery.items()}

    def as_stored(self, task: Task) -> dict[str, Answers]:
        """Raw weights of the queries' originals, neither permuted nor rescaled: a baseline where order is kept."""
        vectors = self.gallery[RawWeights.name]
        own = Vectors(vectors.values[task.origins], vectors.known[task.origins])
        return {IN_ORDER: Answers(vectors, [own])}


def with_baselines(material: Material, encoders: Mapping[str, Encoder], structure: str) -> dict[str, Encoder]:
    """The encoders, and raw weights of one structure as a baseline."""
    rows, items = material.rows, material.items
    raw = RawWeights(next(item for item, row in zip(items, rows, strict=True) if row.structure == structure))
    return {**encoders, raw.name: raw}


def embed_zoo(material: Material, everyone: Mapping[str, Encoder], steps: Steps) -> Embedded:
    """Embeds the zoo; `stats` is what its statistics are at unit length."""
    others = {name: encoder for name, encoder in everyone.items() if not isinstance(encoder, Stats)}
    structures = [row.structure for row in material.rows]
    found = embed_items({**others, "": Statistics()}, material.items, structures, steps.next())
    own = found.pop("")
    unit = Vectors(unit_rows(own.values).astype(np.float64), own.known)
    gallery = {name: found.get(name, unit) for name in everyone}
    return Embedded(material, everyone, gallery, own, steps)
