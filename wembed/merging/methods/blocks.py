"""What a method of merging sees of one tensor: the same elements of every network, some at a time.

A method that needs to know the whole tensor first (a norm, a rank) goes through its blocks twice. Nothing but one block
has to lie in memory, however large the tensor is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.floating]


@dataclass(frozen=True)
class Block:
    """Some elements of a tensor, [N] of every network; nothing in it is written to.

    Args:
        tensors: of the networks that are merged.
        base: of the network that they were fine-tuned from; None where there is none.
    """

    tensors: Sequence[Values]
    base: Values | None = None

    @property
    def origin(self) -> Values:
        """The base, where the method cannot do without one."""
        if self.base is None:
            raise ValueError("this method works on differences from a base")
        return self.base

    def task_vectors(self) -> Iterator[Values]:
        """What fine-tuning added to the base, network by network; the arrays are the caller's."""
        for tensor in self.tensors:
            yield tensor - self.origin


class Blocks(Protocol):
    """A tensor of several networks, which can be gone through as often as needed."""

    @property
    def size(self) -> int:
        """How many elements it has."""

    @property
    def networks(self) -> int:
        """How many networks are merged, without the base."""

    def __iter__(self) -> Iterator[Block]:
        """All elements in order, block by block."""

    def sample(self, step: int) -> Block:
        """Every `step`-th element."""


@dataclass(frozen=True)
class InMemory:
    """Blocks of arrays: one that holds everything.

    Args:
        whole: all elements.
    """

    whole: Block

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self.whole.tensors[0].size

    @property
    def networks(self) -> int:
        """How many networks are merged, without the base."""
        return len(self.whole.tensors)

    def __iter__(self) -> Iterator[Block]:
        """The one block."""
        yield self.whole

    def sample(self, step: int) -> Block:
        """Every `step`-th element."""
        base = self.whole.base
        return Block([tensor[::step] for tensor in self.whole.tensors], None if base is None else base[::step])
