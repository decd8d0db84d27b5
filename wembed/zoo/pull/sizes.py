"""Sizes and counts as people write them in; whole numbers out."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from wembed.errors import UsageError

_LARGEST = 2**63 - 1
_NUMBER = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([a-z]*)", re.IGNORECASE)
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZES = (
    {"": 1, "b": 1}
    | {f"{letter}{ending}": factor for letter, factor in _DECIMAL.items() for ending in ("", "b")}
    | {f"{letter}ib": 1024 ** (power + 1) for power, letter in enumerate(_DECIMAL)}
)
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


def parse_size(text: str) -> int:
    """Reads a number of bytes as people write it: 500 MB, 1.5GB, 2 GiB, 200000000.

    Raises:
        UsageError: if it is none.
    """
    try:
        return _size(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no size", "such as 500MB, 1.5GB or 200000000") from error


def _read(value: Any, units: Mapping[str, int], example: str) -> int:  # Any: whatever the file holds
    found = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    number = Decimal(found[1]) * units.get(found[2].lower(), 0) if found else Decimal(value if is_number else 0)
    if not 1 <= number <= _LARGEST:
        raise ValueError(f"expected {example}")
    return int(number)


def _size(value: Any) -> int:  # Any: whatever the file holds
    return _read(value, _SIZES, "a size, such as 500 MB or 1.5 GB")


def _count(value: Any) -> int:  # Any: whatever the file holds
    return _read(value, _COUNTS, "a number of parameters, such as 200M or 1.5B")


_WithUnit = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]})
Size = Annotated[int, BeforeValidator(_size), _WithUnit]
Count = Annotated[int, BeforeValidator(_count), _WithUnit]
