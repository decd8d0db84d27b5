"""What was done to a network shows in its weights: zeros, and values that only a coarser format has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.sketch import Key, Sketch

Format = Literal["bf16", "fp16", "8 bits"]

_LEVELS = 127  # of 8 bits, on either side of zero
_ON_GRID = 1e-3  # of a step
_FEW = 256  # different values that 8 bits have
_MANY = 1024  # values, among which so few different ones are no chance
_ROUNDOFF: Mapping[Format, float] = {"bf16": 2.0**-8, "fp16": 2.0**-11}

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Traces:
    """What a network's own weights say of its past.

    Args:
        formats: those coarser than float32 that hold all of its weights.
    """

    formats: frozenset[Format]


def traces(own: Sketch) -> Traces:
    """What shows in a sample."""
    parts = own.parts.values()
    checks = {"bf16": _is_bf16, "fp16": _is_fp16, "8 bits": _is_8_bits}
    return Traces(frozenset(name for name, check in checks.items() if all(map(check, parts))))  # type: ignore[misc]


def is_rounding(format: Format, before: Sketch, after: Sketch, shared: list[Key]) -> bool:
    """Whether no weight moved by more than rounding to a format moves it."""
    return all(_moved_little(format, *_common(before, after, key)) for key in shared)


def _moved_little(format: Format, before: Values, after: Values) -> bool:
    moved, largest = np.abs(after - before), float(np.abs(before).max(initial=0.0))
    if format == "8 bits":
        return bool((moved <= 0.51 * largest / _LEVELS).all())
    roundoff = _ROUNDOFF[format]
    return bool((moved <= 1.001 * roundoff * (np.abs(before) + roundoff * largest)).all())


def _common(before: Sketch, after: Sketch, key: Key) -> tuple[Values, Values]:
    places = min(len(before.parts[key]), len(after.parts[key]))
    return before.parts[key][:places], after.parts[key][:places]


def _is_bf16(values: Values) -> bool:
    return not (values.astype(np.float32).view(np.uint32) & 0xFFFF).any()


def _is_fp16(values: Values) -> bool:
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16) == values).all())


def _is_8_bits(values: Values) -> bool:
    largest = float(np.abs(values).max(initial=0.0))
    if not largest or (len(values) >= _MANY and len(np.unique(values)) <= _FEW):
        return True
    steps = values / (largest / _LEVELS)
    return bool((np.abs(steps - np.round(steps)) < _ON_GRID).all())
