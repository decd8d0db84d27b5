"""Examples in; who is related to whom out: what pairs are drawn from, and who is nobody's stranger.

Relatives by descent are those that a chain of runs, parents and children connects. Twins share how they began or what
they saw, but no descent: they look alike and are strangers all the same.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wembed.training.examples import Example

Numbers = NDArray[np.intp]

_NEIGHBOUR = 0.7  # share of a run's pairs that are neighbouring snapshots; the others are any two of it
_RELATIVE = 0.5  # share of the pairs of a run with parents or children that are a child and its parent


@dataclass(frozen=True)
class Run:
    """The snapshots of one run.

    Args:
        snapshots: numbers of its networks, in the order of their steps.
        edges: each a network of the run and a parent or child of it, as numbers.
    """

    snapshots: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]

    def draw(self, generator: np.random.Generator) -> tuple[int, int]:
        """Two networks that belong together: a child and its parent, neighbouring snapshots, or any two of the run."""
        if self.edges and generator.random() < _RELATIVE:
            return self.edges[generator.integers(len(self.edges))]
        last = len(self.snapshots) - 1
        first = int(generator.integers(last + 1))
        if generator.random() < _NEIGHBOUR:
            second = min(max(first + int(generator.choice((-1, 1))), 0), last)
        else:
            second = int(generator.integers(last + 1))
        return self.snapshots[first], self.snapshots[second]


@dataclass(frozen=True)
class Kin:
    """Who belongs together; N networks, numbered as the examples.

    Args:
        runs: all of them.
        descent: [N], the same number for relatives by descent.
        twins: [N], the same number for twins, their relatives and the twins of these.
        content: [N], the same number for networks with the same weights.
    """

    runs: tuple[Run, ...]
    descent: Numbers
    twins: Numbers
    content: Numbers

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Self:
        """Who belongs together among some networks; parents that are not among them connect their children."""
        descent = [_descent(number, example) for number, example in enumerate(examples)]
        twins = [
            [*ties, *(("twins", name) for name in example.twins)]
            for ties, example in zip(descent, examples, strict=True)
        ]
        content = [[("content", example.content or number)] for number, example in enumerate(examples)]
        return cls(_runs(examples), _connected(descent), _connected(twins), _connected(content))

    def related(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Which of some networks are nobody's strangers, [B, B]: relatives by descent, and one and the same weights."""
        descent, content = self.descent[numbers], self.content[numbers]
        related: NDArray[np.bool_] = (descent[:, None] == descent) | (content[:, None] == content)
        return related


def _descent(number: int, example: Example) -> list[Hashable]:
    own = example.id or number
    return [("run", example.run), *(("id", name) for name in (own, *example.parents))]


def _runs(examples: Sequence[Example]) -> tuple[Run, ...]:
    number_of = {example.id: number for number, example in enumerate(examples) if example.id}
    snapshots: dict[str, list[int]] = defaultdict(list)
    edges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number in sorted(range(len(examples)), key=lambda place: examples[place].step):
        snapshots[examples[number].run].append(number)
    for number, example in enumerate(examples):
        for parent in [number_of[name] for name in example.parents if name in number_of]:
            edges[example.run].append((number, parent))
            edges[examples[parent].run].append((parent, number))
    return tuple(Run(tuple(found), tuple(edges[run])) for run, found in snapshots.items())


def _connected(ties: Sequence[Sequence[Hashable]]) -> Numbers:
    """Numbers [N] that are equal where a chain of shared ties connects."""
    known: dict[Hashable, int] = {}
    pairs = [(number, known.setdefault(tie, len(known))) for number, own in enumerate(ties) for tie in own]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    size = len(ties) + len(known)
    graph = coo_array((np.ones(len(rows)), (rows, columns + len(ties))), shape=(size, size))
    labels: Numbers = connected_components(graph, directed=False)[1][: len(ties)].astype(np.intp)
    return labels
