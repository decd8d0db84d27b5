"""Two networks in; whether tensors of theirs are one up to roundings out."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry import SymmetrySpec

Values = NDArray[np.floating]

_ROUNDOFF = {"F8_E4M3": 2.0**-4, "BF16": 2.0**-8, "F16": 2.0**-11, "F32": 2.0**-24, "F64": 2.0**-53}
_NEAR_ZERO = {_ROUNDOFF["F16"]: 2.0**-25, _ROUNDOFF["F8_E4M3"]: 2.0**-10}  # half the step of the least numbers
_ROUNDINGS = 4.0  # as many as a copy may have been through: cast, rescaled, cast again


def agree(one: Values, other: Values, roundoff: float) -> bool:
    """Whether two tensors are one up to roundings."""
    if np.array_equal(one, other):
        return True
    allowed = _ROUNDINGS * roundoff * np.maximum(np.abs(one), np.abs(other))
    smallest = _ROUNDINGS * roundoff**2 * np.abs(one).max(initial=0.0)  # near zero an error is that of the scales
    least = _ROUNDINGS * _NEAR_ZERO.get(roundoff, 0.0)
    return bool((np.abs(one - other) <= allowed + max(smallest, least)).all())


def rounding(checkpoints: tuple[Checkpoint, Checkpoint], spec: SymmetrySpec) -> Callable[[str], float]:
    """Gives, by a tensor's name, the unit roundoff of the coarser of two networks."""
    whole: list[float] = []

    def coarser(name: str) -> float:
        if not whole:
            whole.extend(map(_roundoff_of, checkpoints))
        member = spec.stacks.get(name, (name,))[0]
        own = (_ROUNDOFF.get(checkpoint.tensors[member].dtype, 0.0) for checkpoint in checkpoints)
        return max(*whole, *own)

    return coarser


def _roundoff_of(checkpoint: Checkpoint) -> float:
    """Half the relative step of the coarsest format that holds all of a network exactly."""
    left = [_ROUNDOFF["BF16"], _ROUNDOFF["F16"], _ROUNDOFF["F32"], _ROUNDOFF["F64"]]
    for name in (name for name, info in checkpoint.tensors.items() if info.is_floating):
        values = checkpoint.read(name)
        left = [roundoff for roundoff in left if _holds(values, roundoff)]
        if len(left) == 1:
            break
    return left[0]


def _holds(values: NDArray[np.generic], roundoff: float) -> bool:
    """Whether a format holds all values exactly."""
    if roundoff == _ROUNDOFF["F64"]:
        return True
    single = values.astype(np.float32)
    if (single != values).any():
        return False
    if roundoff == _ROUNDOFF["BF16"]:
        return not (single.view(np.uint32) & 0xFFFF).any()
    if roundoff == _ROUNDOFF["F32"]:
        return True
    return bool((np.abs(single) < np.finfo(np.float16).max).all() and (single.astype(np.float16) == single).all())
