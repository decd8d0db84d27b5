"""A checkpoint in; the coarsest floating-point format that holds its weights exactly out."""

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint

ROUNDOFF = {"BF16": 2.0**-8, "F16": 2.0**-11, "F32": 2.0**-24, "F64": 2.0**-53}  # largest relative error of rounding
_LARGEST_F16 = float(np.finfo(np.float16).max)


def precision(checkpoint: Checkpoint) -> str:
    """The format that the weights were last rounded to, as far as their values tell: a key of ROUNDOFF."""
    left = list(ROUNDOFF)
    for name, info in checkpoint.tensors.items():
        if info.is_floating and info.size:
            values = checkpoint.read(name)
            left = [format for format in left if _holds(format, values)]
        if len(left) == 1:
            break
    return left[0]


def _holds(format: str, values: NDArray[np.generic]) -> bool:
    if format == "F64":
        return True
    single = values.astype(np.float32)
    if format == "F32" or (single != values).any():
        return bool((single == values).all())
    if format == "BF16":
        return not (single.view(np.uint32) & 0xFFFF).any()
    return bool((np.abs(single) <= _LARGEST_F16).all() and (single.astype(np.float16) == single).all())
