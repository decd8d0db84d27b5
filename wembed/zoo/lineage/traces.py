"""Rounding leaves traces in weights: values that only a coarser format has. A network's formats, and what fits them."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wembed.kinship.rounding import ROUNDOFF, holds
from wembed.zoo.lineage.sketch import Key, Sketch, both

Format = Literal["bf16", "fp16", "8 bits"]

_LEVELS = 127  # of 8 bits, on either side of zero
_ON_GRID = 1e-3  # of a step
_FEW = 256  # different values that 8 bits have
_MANY = 1024  # values, among which so few different ones are no chance
_FLOATS: Mapping[Format, str] = {"bf16": "BF16", "fp16": "F16"}

Values = NDArray[np.float64]


def formats_of(own: Sketch) -> frozenset[Format]:
    """The formats coarser than float32 that hold all of a network's weights."""
    parts = own.parts.values()
    found: list[Format] = [format for format, name in _FLOATS.items() if all(holds(name, part) for part in parts)]
    return frozenset([*found, "8 bits"] if all(map(_is_8_bits, parts)) else found)


def is_rounding(format: Format, before: Sketch, after: Sketch, shared: list[Key]) -> bool:
    """Whether no weight moved by more than rounding to a format moves it."""
    return all(_moved_little(format, *both(before, after, key)) for key in shared)


def _moved_little(format: Format, before: Values, after: Values) -> bool:
    moved = np.abs(after - before)
    if format == "8 bits":
        levels = np.unique(np.abs(after))
        step = float(np.diff(levels).min(initial=np.inf)) if len(levels) > 1 else 0.0
        return bool((moved <= (0.5 + _ON_GRID) * step).all())
    roundoff, largest = ROUNDOFF[_FLOATS[format]], float(np.abs(before).max(initial=0.0))
    return bool((moved <= (1 + _ON_GRID) * roundoff * (np.abs(before) + roundoff * largest)).all())


def _is_8_bits(values: Values) -> bool:
    largest = float(np.abs(values).max(initial=0.0))
    if not largest or (len(values) >= _MANY and len(np.unique(values)) <= _FEW):
        return True
    steps = values / (largest / _LEVELS)
    return bool((np.abs(steps - np.round(steps)) < _ON_GRID).all())
