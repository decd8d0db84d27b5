"""Tensors by name in; which of them are quantised, and by which others they are scaled, out.

Formats differ in the scale's name and in how many elements share one; all mean element x scale. What goes beyond that
(zero points, codebooks, several elements in a byte) is not read as weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint.dtypes import Array
from wembed.checkpoint.header import TensorInfo

_BLOCK = 128  # elements along each axis that share one of DeepSeek's scales
_QUANTISED = ("I8", "F8_E4M3", "F8_E5M2")
_WEIGHT = "weight"


@dataclass(frozen=True)
class Scaling:
    """How the elements of a quantised tensor are scaled.

    Args:
        name: the tensor of the scales.
        shape: the scales' shape, with one axis for each of the tensor's.
        block: how many elements along each axis share a scale.
        unit: what all scales are multiplied with.
    """

    name: str
    shape: tuple[int, ...]
    block: tuple[int, ...]
    unit: float = 1.0

    def scaled(self, values: Array, scales: Array, index: tuple[NDArray[np.intp], ...]) -> NDArray[np.float32]:
        """Elements times their scales.

        Args:
            values: some of the tensor's elements.
            scales: all scales.
            index: where the elements stand along each axis of the tensor.
        """
        blocks = [numbers // size for numbers, size in zip(index, self.block, strict=True)]
        chosen = scales.astype(np.float32).reshape(self.shape)[np.ix_(*blocks)]
        factors = chosen * np.float32(self.unit) if self.unit != 1.0 else chosen
        return np.asarray(values.astype(np.float32) * factors)


def find_scalings(tensors: Mapping[str, TensorInfo]) -> dict[str, Scaling]:
    """The scaling of each quantised weight whose format says how it is scaled.

    Known are the int8 of bitsandbytes (`SCB`, one for each row, the largest element being 127), and 8-bit weights with
    `weight_scale` (one, or one for each row) or `weight_scale_inv` (one for each block of 128 x 128).
    """
    found = {}
    for name, info in tensors.items():
        stem = name.removesuffix(_WEIGHT)
        if info.dtype in _QUANTISED and name != stem and len(info.shape) == 2 and info.size:
            scaling = _scaling(info, stem, tensors)
            if scaling:
                found[name] = scaling
    return found


def unscaled(tensors: Mapping[str, TensorInfo], scalings: Mapping[str, Scaling]) -> list[str]:
    """The tensors that look like quantised weights, but whose scales are not known: 8-bit floats may have none."""
    found = []
    for name, info in tensors.items():
        stem = name.removesuffix(_WEIGHT)
        has_scale = any(stem + scale in tensors for scale in ("weight_scale", "weight_scale_inv"))
        if info.dtype in _QUANTISED and len(info.shape) > 1 and info.size and name not in scalings:
            found += [name] if has_scale or info.dtype == "I8" else []
    return found


def scale_names(scalings: Mapping[str, Scaling], tensors: Mapping[str, TensorInfo]) -> set[str]:
    """The tensors that only say how others are quantised; scales of activations too, which no weight needs."""
    own = {scaling.name for scaling in scalings.values()}
    inputs = {name.removesuffix(_WEIGHT) + "input_scale" for name in scalings}
    return own | (inputs & tensors.keys())


def _scaling(info: TensorInfo, stem: str, tensors: Mapping[str, TensorInfo]) -> Scaling | None:
    rows, columns = info.shape
    if info.dtype == "I8" and (scale := _floating(tensors, stem + "SCB")) and scale.shape == (rows,):
        return Scaling(scale.name, (rows, 1), (1, columns), 1.0 / 127.0)
    if f"{stem}weight_zero_point" in tensors:
        return None
    if scale := _floating(tensors, stem + "weight_scale"):
        if scale.size == 1:
            return Scaling(scale.name, (1, 1), (rows, columns))
        return Scaling(scale.name, (rows, 1), (1, columns)) if scale.shape in ((rows,), (rows, 1)) else None
    if scale := _floating(tensors, stem + "weight_scale_inv"):
        blocks = (math.ceil(rows / _BLOCK), math.ceil(columns / _BLOCK))
        return Scaling(scale.name, blocks, (_BLOCK, _BLOCK)) if scale.shape == blocks else None
    return None


def _floating(tensors: Mapping[str, TensorInfo], name: str) -> TensorInfo | None:
    info = tensors.get(name)
    return info if info and info.is_floating else None
