"""Dropout that is the same on one device and on many: masks are drawn for all networks of a step, in one order.

Every process draws the same masks and keeps the rows of its own networks, and a part that is run a second time drops
what it dropped the first time.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class SharedDropout(nn.Module):
    """Drops by masks that are given, one for each call.

    Args:
        share: that is dropped.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.masks: deque[Tensor] = deque()
        self.notes: list[tuple[int, ...]] | None = None  # shapes of what it leaves as it is, when asked

    def forward(self, values: Tensor) -> Tensor:
        """Values [B, ...] times the next mask."""
        if not self.training:
            return values
        if self.notes is not None:
            self.notes.append(tuple(values.shape[1:]))
            return values
        return values * self.masks.popleft()


@dataclass(frozen=True)
class Call:
    """One time that a network meets a dropout.

    Args:
        number: of the dropout among those of the module.
        shape: of what it drops from one network.
    """

    number: int
    shape: tuple[int, ...]


def share_dropouts(module: nn.Module) -> list[SharedDropout]:
    """Puts a shared dropout in the place of every one that drops anything, once; weights and their names stay."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Dropout) and child.p > 0:
                setattr(parent, name, SharedDropout(child.p))
    return [part for part in module.modules() if isinstance(part, SharedDropout)]


def calls_of(dropouts: Sequence[SharedDropout], run: Callable[[], Tensor]) -> tuple[Tensor, tuple[Call, ...]]:
    """What a run gives that drops nothing, and the calls of dropouts that it makes."""
    for dropout in dropouts:
        dropout.notes = []
    found = run()
    calls = [Call(number, shape) for number, dropout in enumerate(dropouts) for shape in dropout.notes or ()]
    for dropout in dropouts:
        dropout.notes = None
    return found, tuple(calls)


def draw_mask(dropout: SharedDropout, count: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """A mask for some networks [count, ...]: zeros, and what makes up for them."""
    kept = 1.0 - dropout.share
    return torch.empty(count, *shape, device=device).bernoulli_(kept).div_(kept)
