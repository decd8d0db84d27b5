"""Networks and their views as tensors, one stack per structure; any of them by number, whatever their structures.

Making a view costs more than a training step, so views are made once; epochs differ in which are paired.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from wembed.encoder.gnn import group_alike
from wembed.graph import WeightGraph, build_graph
from wembed.training.examples import Example
from wembed.training.kin import Kin, Numbers
from wembed.training.views import drastic_views, slight_views

Progress = Callable[[int, int], None]
Views = Literal["all", "faithful", "none"]  # of a network; faithful are those that its accuracy holds for

_ROOM = 1 << 29  # parameters of all views of all networks, 2 GB: beyond, networks have fewer views
_LEAST_VIEWS = 2  # the network, and one that differs from it


class Networks(Protocol):
    """Networks of one structure as tensors: what an encoder's module takes."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""

    def select(self, index: Tensor) -> Self:
        """Some of them, by index."""


@dataclass(frozen=True)
class Stack:
    """All networks of one structure, each with its views: view v of the i-th network lies at v * count + i.

    Args:
        networks: of all views.
        members: numbers of the networks among the examples.
        views: number of views of each, the network itself first.
        faithful: the first so many are about as good as the network.
        parameters: of one network.
    """

    networks: Networks
    members: Numbers
    views: int
    faithful: int
    parameters: int

    @property
    def count(self) -> int:
        """Number of networks."""
        return len(self.members)

    def number_of(self, views: Views) -> int:
        """How many views of each network are of a kind; they stand first."""
        return {"all": self.views, "faithful": self.faithful, "none": 1}[views]


def make_stacks(
    examples: Sequence[Example],
    batch: Callable[[Sequence[WeightGraph]], Networks],
    views: int,
    generator: np.random.Generator,
    progress: Progress,
) -> list[Stack]:
    """Read networks, make their views and stack those of one structure.

    Views are kept in memory, as numbers of 32 bits. Where all of them would have more than 2 GB, large networks have
    fewer, but never less than two.

    Args:
        examples: the networks.
        batch: of graphs of one structure makes what the encoder takes.
        views: how many of each network, itself included.
        generator: of the views.
        progress: told after every network.
    """
    graphs = [build_graph(*example.item) for example in examples]  # they read no weight before it is asked for
    room = _ROOM // max(1, len(examples))
    stacks: list[Stack] = []
    done = 0
    for members in group_alike(graphs):
        parameters = examples[members[0]].item[0].parameters
        count = min(views, max(_LEAST_VIEWS, room // max(1, parameters)))
        copies = math.ceil((count - 1) / 2), (count - 1) // 2
        of_views: list[list[WeightGraph]] = [[] for _ in range(count)]
        for number in members:
            for view, graph in enumerate([graphs[number], *_copies(examples[number], *copies, generator)]):
                of_views[view].append(graph)
            done += 1
            progress(done, len(examples))
        networks = batch([graph for of_view in of_views for graph in of_view])
        stacks.append(Stack(networks, np.array(members, dtype=np.intp), count, 1 + copies[0], parameters))
    return stacks


def _copies(example: Example, slight: int, drastic: int, generator: np.random.Generator) -> Iterator[WeightGraph]:
    for item in slight_views(example.item, slight, generator):
        yield build_graph(*item)
    for item in drastic_views(example.item, drastic, generator):
        yield build_graph(*item)


@dataclass(frozen=True)
class Part:
    """Some networks of one structure among those that were asked for.

    Args:
        networks: they.
        places: theirs in what was asked for.
    """

    networks: Networks
    places: Numbers


@dataclass(frozen=True)
class Pool:
    """What is trained on, N networks.

    Args:
        stacks: their views.
        kin: who belongs together.
        accuracy: [N], NaN where it is not known.
        stack: [N], the number of each network's stack.
    """

    stacks: tuple[Stack, ...]
    kin: Kin
    accuracy: Tensor
    stack: Numbers

    @classmethod
    def of(cls, examples: Sequence[Example], stacks: Sequence[Stack]) -> Self:
        """Examples and what `make_stacks` made of them."""
        accuracy = torch.tensor([example.accuracy for example in examples], dtype=torch.float32)
        of = np.zeros(len(examples), dtype=np.intp)
        for number, stack in enumerate(stacks):
            of[stack.members] = number
        return cls(tuple(stacks), Kin.of(examples), accuracy, of)

    def to(self, device: torch.device) -> "Pool":
        """The same on a device."""
        stacks = tuple(replace(stack, networks=stack.networks.to(device)) for stack in self.stacks)
        return replace(self, stacks=stacks, accuracy=self.accuracy.to(device))

    def draw(self, numbers: Numbers, views: Views, generator: np.random.Generator) -> list[Part]:
        """A random view of each of some networks, structure by structure; of `none` the network itself."""
        of = self.stack[numbers]
        parts = []
        for number in np.unique(of):
            stack, places = self.stacks[number], np.flatnonzero(of == number)
            index = np.searchsorted(stack.members, numbers[places])
            index += generator.integers(stack.number_of(views), size=len(index)) * stack.count
            parts.append(Part(stack.networks.select(torch.from_numpy(index).to(self.accuracy.device)), places))
        return parts

    def unchanged(self, stack: Stack) -> Networks:
        """All networks of a stack as they are."""
        return stack.networks.select(torch.arange(stack.count, device=self.accuracy.device))
