"""The dtypes of the safetensors format: how each lies in storage, and the numbers that it stands for.

numpy has no bfloat16 and no 8-bit floats, so those lie as unsigned integers and become float32, exactly.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.generic]

STORAGE: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("<u1"),
    "I8": np.dtype("<i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F8_E4M3": np.dtype("<u1"),
    "F8_E5M2": np.dtype("<u1"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}
FLOATING = frozenset({"F8_E4M3", "F8_E5M2", "F16", "BF16", "F32", "F64"})


def to_values(dtype: str, stored: Array) -> Array:
    """Gives the numbers that stored elements stand for.

    Args:
        dtype: a safetensors dtype name.
        stored: elements as they lie in the file, any shape.

    Returns:
        The same shape; float32 for the floats of 16 and 8 bits, else `stored` itself.
    """
    decode = _DECODERS.get(dtype)
    return stored if decode is None else decode(stored)


def encode(values: Array, dtype: str) -> Array:
    """Gives floating values as a safetensors dtype stores them; bfloat16 rounded to nearest, ties to even.

    Raises:
        ValueError: if nothing is stored in that dtype here, as in the floats of 8 bits.
    """
    match dtype:
        case "BF16":
            bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
            rounded = bits >> 16
            rounded &= 1
            rounded += 0x7FFF
            rounded += bits  # in place: fresh memory for each step takes ten times as long
            rounded >>= 16
            return rounded.astype(np.uint16)
        case "F16" | "F32" | "F64":
            return values.astype(STORAGE[dtype])
        case _:
            raise ValueError(f"values are stored as F64, F32, F16 or BF16, found {dtype!r}")


def _from_half(stored: Array) -> Array:
    return stored.astype(np.float32)


def _from_bfloat16(stored: Array) -> Array:
    """A bfloat16 is the upper half of a float32."""
    bits = stored.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def _from_e5m2(stored: Array) -> Array:
    """An E5M2 is the upper half of a float16."""
    return (stored.astype(np.uint16) << 8).view(np.float16).astype(np.float32)


def _from_e4m3(stored: Array) -> Array:
    return _E4M3_VALUES[stored.astype(np.intp)]


def _e4m3_values() -> npt.NDArray[np.float32]:
    """All 256 values of E4M3 (bias 7, no infinities, NaN where all lower bits are set), arXiv:2209.05433."""
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    magnitude = np.where(exponent > 0, (8 + mantissa) * 2.0 ** (exponent - 10), mantissa * 2.0**-9)
    magnitude[(codes & 127) == 127] = np.nan
    return np.where(codes >= 128, -magnitude, magnitude).astype(np.float32)


_E4M3_VALUES = _e4m3_values()
_DECODERS: dict[str, Callable[[Array], Array]] = {
    "F16": _from_half,
    "BF16": _from_bfloat16,
    "F8_E5M2": _from_e5m2,
    "F8_E4M3": _from_e4m3,
}
