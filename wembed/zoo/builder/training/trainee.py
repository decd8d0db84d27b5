"""Trainee and Trained: what goes into training and what comes out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIVERGED_LOSS = 1e6  # nats: Adam's steps are bounded, so that a lost network may stay finite for ever

Tensors = Mapping[str, NDArray[np.float32]]
OnStep = Callable[[int], None]


def ignore(step: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Trainee:
    """A network that is about to be trained by AdamW (Loshchilov and Hutter, arXiv 1711.05101).

    Args:
        name: what it is called.
        start: its parameters and running statistics, by state-dict name.
        labels: over all training inputs: [N] int64, for text [N, T]; or what a teacher says, [N, classes] float32,
            which adds up to one.
        batches: [steps + 1, B] which training inputs each step takes; the last ones are looked at, not learnt from.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        until: ends its training at the first step after which its weights have changed so much, see `relative_change`.
    """

    name: str
    start: Tensors
    labels: NDArray[np.int64] | NDArray[np.float32]
    batches: NDArray[np.int64]
    learning_rate: float
    weight_decay: float
    until: float | None = None


@dataclass(frozen=True)
class Trained:
    """A network after some steps.

    Args:
        trainee: its place among those that were trained.
        step: how many updates it has had.
        tensors: its parameters and running statistics, all finite.
        diverged_at: the step at which its training was lost, if this is the last that is left of it.
    """

    trainee: int
    step: int
    tensors: dict[str, NDArray[np.float32]]
    diverged_at: int | None = None
