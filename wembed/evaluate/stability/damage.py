"""Tensors in; what use makes of them out: noise, pruning, and roundings. No training, and nothing about a spec.

What is damaged are the weights, the tensors of two or more dimensions; bf16 rounds all others, too.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

Values = NDArray[np.float64]
Damage = Callable[[Values, np.random.Generator], Values]  # of one tensor

_LEVELS = 127  # of int8 on either side of zero: symmetric, one scale for a tensor


def noise(share: float) -> Damage:
    """Gaussian noise, as large as a share of the deviation of a tensor's entries."""

    def damage(values: Values, generator: np.random.Generator) -> Values:
        return values + generator.normal(0.0, share * float(values.std()), values.shape)

    return damage


def pruning(share: float) -> Damage:
    """That share of a tensor's entries, the smallest, set to zero."""

    def damage(values: Values, generator: np.random.Generator) -> Values:
        gone = np.argsort(np.abs(values).ravel(), kind="stable")[: round(share * values.size)]
        pruned = values.copy()
        pruned.ravel()[gone] = 0.0
        return pruned

    return damage


def int8(values: Values, generator: np.random.Generator) -> Values:
    """Rounded to 8 bits."""
    step = float(np.abs(values).max(initial=0.0)) / _LEVELS
    return np.round(values / step) * step if step else values


def bf16(values: Values, generator: np.random.Generator) -> Values:
    """Rounded to bfloat16."""
    rounded: Values = torch.from_numpy(np.ascontiguousarray(values)).bfloat16().double().numpy()
    return rounded


DAMAGES: Mapping[str, Damage] = {
    "bf16": bf16,
    "int8": int8,
    "noise 5 %": noise(0.05),
    "noise 20 %": noise(0.2),
    "pruned 10 %": pruning(0.1),
    "pruned 30 %": pruning(0.3),
    "pruned 50 %": pruning(0.5),
}
RANDOM = ("noise 5 %", "noise 20 %")  # drawn anew for each seed


def damaged(
    tensors: Mapping[str, NDArray[np.generic]], kind: str, generator: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """The tensors of a network after one of `DAMAGES`.

    Args:
        tensors: by name.
        kind: which damage.
        generator: of what is random about it.
    """
    return {
        name: DAMAGES[kind](values.astype(np.float64), generator)
        if values.size and (values.ndim > 1 or kind == "bf16")
        else values.astype(np.float64)
        for name, values in tensors.items()
    }
