"""Networks and their views as tensors, one stack per structure, and pairs of views of one run drawn from them.

Making a view costs more than a training step, so views are made once; epochs differ in which are paired.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.encoder import Item
from wembed.encoder.gnn import group_alike
from wembed.graph import WeightGraph, build_graph
from wembed.training.views import view_of

Progress = Callable[[int, int], None]

_NEIGHBOUR = 0.7  # share of pairs that are neighbouring snapshots; the others are any two of a run


class Networks(Protocol):
    """Networks of one structure as tensors: what an encoder's module takes."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""

    def select(self, index: Tensor) -> Self:
        """Some of them, by index."""


@dataclass(frozen=True)
class Example:
    """A network to train on.

    Args:
        item: its checkpoint and symmetries.
        run: the run that it is a snapshot of.
        step: of the run.
        accuracy: what it reaches, NaN where that is not known.
    """

    item: Item
    run: str
    step: int
    accuracy: float


@dataclass(frozen=True)
class Stack:
    """All networks of one structure, each with its views: view v of network i lies at v * count + i.

    Args:
        networks: of all views.
        count: number of networks N.
        views: number of views of each, the network itself first.
        runs: the networks of every run in the order of their steps, as indices below N.
        accuracy: [N].
    """

    networks: Networks
    count: int
    views: int
    runs: tuple[tuple[int, ...], ...]
    accuracy: Tensor


@dataclass(frozen=True)
class Labelled:
    """Some networks and their accuracies.

    Args:
        networks: B of one structure.
        accuracy: [B].
    """

    networks: Networks
    accuracy: Tensor


def make_stacks(
    examples: Sequence[Example],
    batch: Callable[[Sequence[WeightGraph]], Networks],
    views: int,
    generator: np.random.Generator,
    progress: Progress,
) -> list[Stack]:
    """Read networks, make their views and stack those of one structure.

    Args:
        examples: the networks.
        batch: of graphs of one structure makes what the encoder takes.
        views: how many of each network, itself included.
        generator: of the views.
        progress: told after every view of all networks.
    """
    graphs: list[list[WeightGraph]] = []
    for view in range(views):
        graphs.append([])
        for number, example in enumerate(examples, start=1):
            item = example.item if view == 0 else view_of(example.item, generator)
            graphs[-1].append(build_graph(*item))
            progress(view * len(examples) + number, views * len(examples))
    stacks = []
    for indices in group_alike(graphs[0]):
        networks = batch([of_view[index] for of_view in graphs for index in indices])
        stacks.append(_stack(networks, views, [examples[index] for index in indices]))
    return stacks


def _stack(networks: Networks, views: int, examples: Sequence[Example]) -> Stack:
    runs: dict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(examples)), key=lambda place: examples[place].step):
        runs[examples[index].run].append(index)
    accuracy = torch.tensor([example.accuracy for example in examples], dtype=torch.float32)
    return Stack(networks, len(examples), views, tuple(map(tuple, runs.values())), accuracy)


def draw_pairs(stack: Stack, runs: NDArray[np.intp], generator: np.random.Generator) -> Networks:
    """Two views of each of some runs, of neighbouring snapshots mostly: the first ones, then the second ones, [2 R]."""
    drawn = np.array([_pair(stack.runs[run], generator) for run in runs])  # [R, 2]
    return _views(stack, drawn.T.reshape(-1), generator).networks


def draw_labelled(stacks: Sequence[Stack], size: int, generator: np.random.Generator) -> Iterator[Labelled]:
    """A view of every network once, in random order, in batches of about `size` of one structure."""
    parts: list[tuple[Stack, NDArray[np.intp]]] = []
    for stack in stacks:
        order = generator.permutation(stack.count)
        parts += [(stack, part) for part in np.array_split(order, max(1, round(stack.count / size)))]
    for place in generator.permutation(len(parts)):
        stack, part = parts[place]
        yield _views(stack, part, generator)


def unchanged(stack: Stack) -> Labelled:
    """All networks of a stack as they are."""
    index = torch.arange(stack.count, device=stack.accuracy.device)
    return Labelled(stack.networks.select(index), stack.accuracy)


def _views(stack: Stack, networks: NDArray[np.intp], generator: np.random.Generator) -> Labelled:
    """A random view of each of some networks."""
    index = torch.from_numpy(networks).to(stack.accuracy.device)
    views = torch.from_numpy(generator.integers(stack.views, size=len(networks))).to(index)
    return Labelled(stack.networks.select(views * stack.count + index), stack.accuracy[index])


def draw_batches(stacks: Sequence[Stack], size: int, generator: np.random.Generator) -> list[list["Part"]]:
    """All runs once, in random order, in batches of about `size` runs of up to two structures each."""
    parts: list[Part] = []
    for number, stack in enumerate(stacks):
        order = generator.permutation(len(stack.runs))
        count = max(1, round(2 * len(order) / size))
        parts += [Part(number, part) for part in np.array_split(order, count) if len(part)]
    shuffled = [parts[place] for place in generator.permutation(len(parts))]
    return [shuffled[start : start + 2] for start in range(0, len(shuffled), 2)]


@dataclass(frozen=True)
class Part:
    """Some runs of one stack.

    Args:
        stack: its number.
        runs: theirs.
    """

    stack: int
    runs: NDArray[np.intp]


def _pair(run: Sequence[int], generator: np.random.Generator) -> tuple[int, int]:
    first = int(generator.integers(len(run)))
    if generator.random() < _NEIGHBOUR:
        second = min(max(first + int(generator.choice((-1, 1))), 0), len(run) - 1)
    else:
        second = int(generator.integers(len(run)))
    return run[first], run[second]
