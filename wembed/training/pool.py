"""Networks and their views as tensors, one stack per structure; any of them by number, whatever their structures.

Making a view costs more than a training step, so views are made once; epochs differ in which are paired. Of several
processes each makes and holds the views of its own networks.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from wembed.device import CPU, memory, to_device
from wembed.encoder.gnn import group_alike
from wembed.graph import WeightGraph, build_graph
from wembed.training.distributed import ALONE, Ranks
from wembed.training.examples import Example
from wembed.training.kin import Kin, Numbers
from wembed.training.views import drastic_views, pass_over, slight_views, unread

Progress = Callable[[int, int], None]
Views = Literal["all", "faithful", "none"]  # of a network; faithful are those that its accuracy holds for

_ROOM = 1 << 29  # parameters of all views of all networks, 2 GB: beyond, networks have fewer views
_SHARE = 0.5  # of a device's free memory that networks may take; more of them stay in the machine's
_LEAST_VIEWS = 2  # the network, and one that differs from it


class Networks(Protocol):
    """Networks of one structure as tensors: what an encoder's module takes."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""

    def select(self, index: Tensor) -> Self:
        """Some of them, by index, on any device."""


@dataclass(frozen=True)
class Stack:
    """All networks of one structure, each with its views: view v of the i-th own network lies at v * held + i.

    Args:
        networks: of all views of this process's own networks; None where it has none.
        members: numbers of the networks among the examples.
        owner: whose each of them is, by rank.
        own: places among them of this process's own.
        views: number of views of each, the network itself first.
        faithful: the first so many are about as good as the network.
        parameters: of one network.
    """

    networks: Networks | None
    members: Numbers
    owner: Numbers
    own: Numbers
    views: int
    faithful: int
    parameters: int

    @property
    def count(self) -> int:
        """Number of networks."""
        return len(self.members)

    @property
    def held(self) -> int:
        """Number of own networks."""
        return len(self.own)

    @property
    def bytes(self) -> int:
        """What the weights of all views of the own networks take."""
        return 4 * self.parameters * self.views * self.held

    def number_of(self, views: Views) -> int:
        """How many views of each network are of a kind; they stand first."""
        return {"all": self.views, "faithful": self.faithful, "none": 1}[views]


def make_stacks(
    examples: Sequence[Example],
    batch: Callable[[Sequence[WeightGraph]], Networks],
    views: int,
    generator: np.random.Generator,
    progress: Progress,
    ranks: Ranks = ALONE,
) -> list[Stack]:
    """Read networks, make their views and stack those of one structure.

    Views are kept in memory, as numbers of 32 bits. Where all of them would have more than 2 GB, large networks have
    fewer, but never less than two.

    Args:
        examples: the networks.
        batch: of graphs of one structure makes what the encoder takes.
        views: how many of each network, itself included.
        generator: of the views; all processes draw the same.
        progress: told after every network.
        ranks: who shares the work: a network's weights are read by one of them only.
    """
    shapes = [example.item if ranks.is_alone else unread(example.item) for example in examples]
    graphs = [build_graph(*shape) for shape in shapes]  # of shapes alone, until it is known whose each is
    stacks: list[Stack] = []
    done = 0
    for turn, members in enumerate(group_alike(graphs)):
        parameters = examples[members[0]].item[0].parameters
        count = min(views, max(_LEAST_VIEWS, _ROOM // max(1, len(examples)) // max(1, parameters)))
        copies = math.ceil((count - 1) / 2), (count - 1) // 2
        owner = ranks.owners(len(members), turn)
        with_views: list[list[WeightGraph]] = []  # of each own network
        for number, whose in zip(members, owner, strict=True):
            if whose == ranks.rank:
                graph = graphs[number] if ranks.is_alone else build_graph(*examples[number].item)
                with_views.append([graph, *_copies(examples[number], *copies, generator)])
            else:
                pass_over(shapes[number], *copies, generator)
            done += 1
            progress(done, len(examples))
        own = np.flatnonzero(owner == ranks.rank)
        networks = batch([graph for view in zip(*with_views, strict=True) for graph in view]) if with_views else None
        stacks.append(Stack(networks, np.array(members, dtype=np.intp), owner, own, count, 1 + copies[0], parameters))
    return stacks


def _copies(example: Example, slight: int, drastic: int, generator: np.random.Generator) -> Iterator[WeightGraph]:
    for item in slight_views(example.item, slight, generator):
        yield build_graph(*item)
    for item in drastic_views(example.item, drastic, generator):
        yield build_graph(*item)


@dataclass(frozen=True)
class Part:
    """The own networks of one structure among those that were asked for.

    Args:
        networks: they; None where there are none of one's own.
        stack: number of their stack.
        count: how many of the structure were asked for, of all processes.
        rows: theirs among these.
        places: theirs in what was asked for.
    """

    networks: Networks | None
    stack: int
    count: int
    rows: Numbers
    places: Numbers


@dataclass(frozen=True)
class Pool:
    """What is trained on, N networks.

    Args:
        stacks: their views.
        kin: who belongs together.
        accuracy: [N], NaN where it is not known.
        stack: [N], the number of each network's stack.
        owner: [N], whose each network is.
        lines: `kin.descent` where networks are run, [N].
        weights: `kin.content` there, [N].
        home: where the views lie.
    """

    stacks: tuple[Stack, ...]
    kin: Kin
    accuracy: Tensor
    stack: Numbers
    owner: Numbers
    lines: Tensor
    weights: Tensor
    home: torch.device = torch.device(CPU)  # noqa: RUF009 - it can't be changed

    @classmethod
    def of(cls, examples: Sequence[Example], stacks: Sequence[Stack]) -> Self:
        """Examples and what `make_stacks` made of them."""
        accuracy = torch.tensor([example.accuracy for example in examples], dtype=torch.float32)
        of, owner = np.zeros(len(examples), dtype=np.intp), np.zeros(len(examples), dtype=np.intp)
        for number, stack in enumerate(stacks):
            of[stack.members], owner[stack.members] = number, stack.owner
        kin = Kin.of(examples)
        lines, weights = torch.from_numpy(kin.descent), torch.from_numpy(kin.content)
        return cls(tuple(stacks), kin, accuracy, of, owner, lines, weights)

    def to(self, device: torch.device) -> "Pool":
        """The same on a device; views that would fill it stay where they are, and come when they are drawn."""
        names = ("accuracy", "lines", "weights")
        there = replace(self, **{name: to_device(getattr(self, name), device) for name in names})
        if sum(stack.bytes for stack in self.stacks) > _SHARE * memory(device).free:
            return there
        stacks = tuple(replace(stack, networks=_moved(stack.networks, device)) for stack in self.stacks)
        return replace(there, stacks=stacks, home=device)

    @property
    def device(self) -> torch.device:
        """Where networks are run."""
        return self.accuracy.device

    def related(self, numbers: Tensor) -> Tensor:
        """Which of some networks are nobody's strangers, [B, B], found where networks are run; see `Kin.related`."""
        descent, content = (known[numbers] for known in (self.lines, self.weights))
        return (descent[:, None] == descent) | (content[:, None] == content)

    def draw(self, numbers: Numbers, views: Views, generator: np.random.Generator) -> list[Part]:
        """A random view of each of some networks, structure by structure; of `none` the network itself."""
        of = self.stack[numbers]
        parts = []
        for number in np.unique(of):
            stack, places = self.stacks[number], np.flatnonzero(of == number)
            view = generator.integers(stack.number_of(views), size=len(places))
            member = np.searchsorted(stack.members, numbers[places])
            rows = np.flatnonzero(np.isin(member, stack.own))
            index = view[rows] * stack.held + np.searchsorted(stack.own, member[rows])
            networks = self._selected(stack, index) if len(rows) else None
            parts.append(Part(networks, int(number), len(places), rows, places[rows]))
        return parts

    def is_known(self, stack: Stack) -> bool:
        """Whether any of the own networks of a stack has an accuracy that is known and not zero."""
        own = self.accuracy.cpu()[torch.from_numpy(stack.members[stack.own])]
        return bool(own.nan_to_num(0.0).any())

    def unchanged(self, stack: Stack, places: Numbers) -> Networks:
        """Some of the own networks of a stack as they are, by their place among these."""
        return self._selected(stack, places)

    def _selected(self, stack: Stack, index: Numbers) -> Networks:
        assert stack.networks is not None  # only one's own are asked for
        chosen = stack.networks.select(torch.from_numpy(index))
        return chosen if self.home == self.device else to_device(chosen, self.device)


def _moved(networks: Networks | None, device: torch.device) -> Networks | None:
    return None if networks is None else to_device(networks, device)
