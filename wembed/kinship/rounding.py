"""Weights in; which format they were rounded to, and whether two tensors are one up to such roundings, out."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry import SymmetrySpec

ROUNDOFF: Mapping[str, float] = {  # half the relative step of a format, the coarsest first
    "F8_E4M3": 2.0**-4,
    "BF16": 2.0**-8,
    "F16": 2.0**-11,
    "F32": 2.0**-24,
    "F64": 2.0**-53,
}
ROUNDINGS = 4.0  # as many as a copy may have been through: cast, rescaled, cast again
_NEAR_ZERO = {ROUNDOFF["F16"]: 2.0**-25, ROUNDOFF["F8_E4M3"]: 2.0**-10}  # half the step of the least numbers
_TOLD = ("BF16", "F16", "F32", "F64")  # the formats that values are looked through for


def agree(one: NDArray[np.floating], other: NDArray[np.floating], roundoff: float) -> bool:
    """Whether two tensors are one up to as many roundings to a format as a copy may have been through."""
    if np.array_equal(one, other):
        return True
    allowed = ROUNDINGS * roundoff * np.maximum(np.abs(one), np.abs(other))
    smallest = ROUNDINGS * roundoff**2 * np.abs(one).max(initial=0.0)  # near zero an error is that of the scales
    least = ROUNDINGS * _NEAR_ZERO.get(roundoff, 0.0)
    return bool((np.abs(one - other) <= allowed + max(smallest, least)).all())


def rounding(checkpoints: tuple[Checkpoint, Checkpoint], spec: SymmetrySpec) -> Callable[[str], float]:
    """Gives, by a tensor's name, the unit roundoff of the coarser of two networks."""
    whole: list[float] = []

    def coarser(name: str) -> float:
        if not whole:
            whole.extend(ROUNDOFF[precision(checkpoint)] for checkpoint in checkpoints)
        member = spec.stacks.get(name, (name,))[0]
        own = (ROUNDOFF.get(checkpoint.tensors[member].dtype, 0.0) for checkpoint in checkpoints)
        return max(*whole, *own)

    return coarser


def precision(checkpoint: Checkpoint) -> str:
    """The coarsest format that holds all weights of a network exactly, as far as their values tell: BF16 to F64."""
    left = list(_TOLD)
    for name in (name for name, info in checkpoint.tensors.items() if info.is_floating and info.size):
        values = checkpoint.read(name)
        left = [format for format in left if holds(format, values)]
        if len(left) == 1:
            break
    return left[0]


def holds(format: str, values: NDArray[np.generic]) -> bool:
    """Whether a format, BF16 to F64, holds all values exactly."""
    if format == "F64":
        return True
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
        if format == "F32" or (single != values).any():
            return bool((single == values).all())
        if format == "BF16":
            return not (single.view(np.uint32) & 0xFFFF).any()
        return bool((single.astype(np.float16) == single).all())
