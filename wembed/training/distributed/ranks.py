"""What the processes of a training say to each other: vectors in, those of all of them out.

All of them draw the same batches; each runs its own networks, and all compute the whole loss of the vectors of all. So
the gradient that reaches a vector is that of the whole batch, negatives of other processes included, and parameters'
gradients are added up. A process that is alone says nothing to anybody.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.errors import WembedError

Value = TypeVar("Value")


class PeerLostError(WembedError):
    """Another process of the training is gone, or does not answer."""


@dataclass(frozen=True)
class Ranks:
    """A process of a training, and how many there are.

    Args:
        rank: its number, from 0; the first one writes and speaks.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it writes files, prints and shows bars."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.count == 1

    def owners(self, members: int, turn: int) -> NDArray[np.intp]:
        """Whose each of some networks is, [members]: dealt out in turn, so that all have as many of each structure.

        Args:
            members: how many networks.
            turn: who gets the first one; another for every structure, so that rare ones are spread, too.
        """
        return (np.arange(members, dtype=np.intp) + turn) % self.count

    def gathered(self, own: Tensor, owner: Tensor, most: int) -> Tensor:
        """The vectors of all networks of a step, in order, [B, D]; no gradient comes with them.

        Args:
            own: vectors of this process's networks, in order, [n, D].
            owner: whose each network is, [B].
            most: the largest n of any process.
        """
        if self.is_alone:
            return own
        padded = own.new_zeros(most, own.shape[1])
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in range(self.count)]
        with _peers():
            dist.all_gather(found, padded)
        of = owner[:, None] == torch.arange(self.count, device=owner.device)  # [B, count]
        place = (of.cumsum(0) - 1).gather(1, owner[:, None])[:, 0]
        return torch.cat(found)[owner * most + place]

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Sums tensors over all processes in place, in one message."""
        if self.is_alone:
            return
        parts = list(tensors)
        flat = torch.cat([part.flatten() for part in parts])
        with _peers():
            dist.all_reduce(flat)
        for part, total in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
            part.copy_(total.view_as(part))

    def add_up_gradients(self, trained: Sequence[nn.Parameter]) -> None:
        """Sums the gradients of parameters; where a process has none of one, that counts as zero."""
        if self.is_alone:
            return
        for value in trained:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        self.add_up(value.grad for value in trained if value.grad is not None)

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Gives all processes the first one's values, in place."""
        if self.is_alone:
            return
        with _peers():
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def first(self, value: Callable[[], Value]) -> Value:
        """What the first process finds; the others do not look."""
        if self.is_alone:
            return value()
        found = [value() if self.is_first else None]
        with _peers():
            dist.broadcast_object_list(found, 0)
        return found[0]  # type: ignore[return-value] # the first one's is a Value

    def all(self, value: Value) -> Sequence[Value]:
        """What all processes have, by rank."""
        if self.is_alone:
            return [value]
        found: list[Value | None] = [None] * self.count
        with _peers():
            dist.all_gather_object(found, value)
        return found  # type: ignore[return-value] # each one's is a Value

    def wait(self) -> None:
        """Waits until all have come here."""
        if not self.is_alone:
            with _peers():
                dist.barrier()


ALONE = Ranks()


def current_ranks() -> Ranks:
    """Who this process is; alone, unless it has joined others."""
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size())
    return ALONE


@contextmanager
def _peers() -> Iterator[None]:
    """Says in one line that somebody is gone."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):  # gloo has no class of its own
            raise
        hint = "the same command goes on from the last whole epoch"
        raise PeerLostError("another process of the training is gone, or does not answer", hint) from error
