"""Derived: a child that has been made."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.builder.lineage.child import Child


@dataclass(frozen=True)
class Derived:
    """A child's network, and what is known of it.

    Args:
        child: what was asked for.
        tensors: its parameters and running statistics, by state-dict name.
        change: how far it is from its parent, measured: see `relative_change`.
        step: how many training steps it took; None if it wasn't trained.
        details: what is worth knowing about how it was made, by name; what JSON can hold.
        diverged_at: the training step at which it diverged, of which `tensors` is the last that is left.
    """

    child: Child
    tensors: dict[str, NDArray[np.float32]]
    change: float
    step: int | None = None
    details: dict[str, object] = field(default_factory=dict)
    diverged_at: int | None = None
