"""A pool in; what one epoch looks at, in batches of equal size, out.

Batches mix structures. What is alike on paper stands in one batch: those of one structure, and of these the twins.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wembed.training.kin import Numbers
from wembed.training.pool import Pool

_STRUCTURES = 2  # of a batch of pairs, at least, where the zoo has them
_ROOM = 1 << 25  # parameters of the networks of one batch: large networks come in smaller batches


@dataclass(frozen=True)
class Pairs:
    """Two networks of each of P runs, or a network and its parent.

    Args:
        first: numbers of networks, [P].
        second: those that belong to them, [P].
    """

    first: Numbers
    second: Numbers

    @property
    def numbers(self) -> Numbers:
        """The first ones, then the second ones, [2 P]."""
        return np.concatenate([self.first, self.second])


def draw_pairs(pool: Pool, size: int, generator: np.random.Generator) -> list[Pairs]:
    """One pair of every run, in random order, in batches of about `size` pairs.

    Twins stand in one batch: of every family of twins, batches get slices with one run of each of the twins.
    """
    drawn = np.array([run.draw(generator) for run in pool.kin.runs], dtype=np.intp)  # [runs, 2]
    parts: list[Numbers] = []
    for number, stack in enumerate(pool.stacks):
        own = generator.permutation(np.flatnonzero(pool.stack[drawn[:, 0]] == number))
        if len(own):
            parts += _cut(_slices(pool, drawn[own, 0], own), _largest(size // _STRUCTURES, 2 * stack.parameters))
    weights = [_weight(pool, drawn[part], size) for part in parts]
    return [Pairs(*drawn[batch].T) for batch in _packed(parts, weights, generator)]


def draw_labelled(pool: Pool, size: int, generator: np.random.Generator) -> list[Numbers]:
    """All networks of known accuracy once, in random order, in batches of about `size`."""
    known = ~pool.accuracy.isnan().cpu().numpy()
    parts: list[Numbers] = []
    for stack in pool.stacks:
        own = generator.permutation(stack.members[known[stack.members]])
        if len(own):
            parts += _split(own, _largest(size, stack.parameters))
    weights = [_weight(pool, part[:, None], size) for part in parts]
    return _packed(parts, weights, generator)


def _slices(pool: Pool, networks: Numbers, runs: Numbers) -> list[Numbers]:
    """Runs of one structure in slices: of every family of twins one run of each line of descent, then another one."""
    waiting: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for network, run in zip(networks, runs, strict=True):
        waiting[int(pool.kin.twins[network])][int(pool.kin.descent[network])].append(int(run))
    slices = []
    for lines in waiting.values():
        for round_ in range(max(map(len, lines.values()))):
            slices.append(np.array([line[round_] for line in lines.values() if round_ < len(line)], dtype=np.intp))
    return slices


def _cut(slices: Sequence[Numbers], largest: int) -> list[Numbers]:
    """Slices joined to parts of at most `largest` runs; one that is longer is split."""
    parts: list[list[Numbers]] = [[]]
    for piece in [piece for found in slices for piece in _split(found, largest)]:
        if parts[-1] and sum(map(len, parts[-1])) + len(piece) > largest:
            parts.append([])
        parts[-1].append(piece)
    return [np.concatenate(part) for part in parts]


def _split(numbers: Numbers, largest: int) -> list[Numbers]:
    return np.array_split(numbers, -(-len(numbers) // largest))


def _largest(size: int, parameters: int) -> int:
    """How many units of so many parameters a part of a batch holds."""
    return max(1, min(size, _ROOM // max(1, parameters)))


def _weight(pool: Pool, numbers: Numbers, size: int) -> float:
    """The share of a batch that some units [n, networks of each] fill."""
    parameters = sum(pool.stacks[number].parameters for number in pool.stack[numbers].ravel())
    return max(len(numbers) / size, parameters / _ROOM)


def _packed(parts: Sequence[Numbers], weights: Sequence[float], generator: np.random.Generator) -> list[Numbers]:
    """Parts as batches that are about equally full: each goes, the heaviest first, where most room is left."""
    count = max(1, round(sum(weights)))
    batches: list[list[Numbers]] = [[] for _ in range(count)]
    filled = np.zeros(count)
    shuffled = generator.permutation(len(parts))
    for place in sorted(shuffled, key=lambda place: -weights[place]):
        emptiest = int(np.argmin(filled))
        batches[emptiest].append(parts[place])
        filled[emptiest] += weights[place]
    return [np.concatenate(batch) for batch in batches if batch]
