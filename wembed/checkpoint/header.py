"""The header of a safetensors file in; a name, dtype, shape and place for every tensor out.

The parser is strict: what it lets through can be read without a further check. A file that ends too early is called
truncated, one that contradicts itself corrupt.
"""

import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from wembed.checkpoint.dtypes import FLOATING, STORAGE
from wembed.errors import CheckpointRefusedError

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
MAX_AXES = 32  # the limit of numpy 1
MAX_TENSOR_BYTES = 2**63 - 1  # what an array can be told to hold
_LONGEST_TEXT = 500  # characters of a message, as a name in a header may be of any length


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor without reading it.

    Args:
        name: its name, without the checkpoint's wrapper prefix.
        dtype: a safetensors dtype name, "F32" or "BF16" say.
        shape: the length of each axis; () for a scalar.
        is_scaled: whether its elements are quantised numbers, which read as their product with scales.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    is_scaled: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What the elements take in a file."""
        return self.size * STORAGE[self.dtype].itemsize

    @property
    def is_floating(self) -> bool:
        """Whether the elements read as real floating-point numbers, of any width."""
        return self.dtype in FLOATING or self.is_scaled


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself; offsets count bytes from the start of the file."""

    tensors: dict[str, TensorInfo]
    offsets: dict[str, int]
    metadata: dict[str, str]


@dataclass(frozen=True)
class _Span:
    """Where a tensor's bytes lie, counted from the start of the data."""

    name: str
    begin: int
    end: int


def read_header(path: Path) -> Header:
    """Reads and checks the header of a safetensors file, and no byte of its data.

    Raises:
        CheckpointRefusedError: if the file is empty, truncated or corrupt.
    """
    with path.open("rb") as file:
        file_bytes = os.fstat(file.fileno()).st_size
        start = file.read(LENGTH_BYTES)
        start += file.read(header_length(start, file_bytes, str(path)))
    return parse_header(start, file_bytes, str(path))


def header_length(start: bytes, file_bytes: int, where: str) -> int:
    """Gives the number of bytes that the header takes behind its length.

    Args:
        start: the first bytes of the file, 8 of them at least if it has as many.
        file_bytes: size of the file.
        where: it comes from, for messages.

    Raises:
        CheckpointRefusedError: if the file is empty, or no such header can be in it.
    """
    if not start:
        raise CheckpointRefusedError(f"{where}: empty file, found 0 bytes")
    if len(start) < LENGTH_BYTES:
        _truncated(where, f"found {len(start)} bytes, a safetensors file starts with {LENGTH_BYTES}")
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        _corrupt(where, f"header of {length} bytes, expected at most {MAX_HEADER_BYTES}")
    if LENGTH_BYTES + length > file_bytes:
        _truncated(where, f"header of {length} bytes expected, found {file_bytes - LENGTH_BYTES}")
    return length


def parse_header(start: bytes, file_bytes: int, where: str) -> Header:
    """Checks the header of a safetensors file.

    Args:
        start: the first bytes of the file, with its whole header at least.
        file_bytes: size of the file.
        where: it comes from, for messages.

    Raises:
        CheckpointRefusedError: if the file is empty, truncated or corrupt.
    """
    data_start = LENGTH_BYTES + header_length(start, file_bytes, where)
    entries = _parse_object(start[LENGTH_BYTES:data_start], where)
    metadata = _metadata(entries.pop("__metadata__", {}), where)
    tensors = {name: _tensor_info(name, entry, where) for name, entry in entries.items()}
    spans = [_span(info, cast("dict[str, object]", entries[name]), where) for name, info in tensors.items()]
    _check_cover(spans, file_bytes - data_start, where)
    return Header(tensors, {span.name: data_start + span.begin for span in spans}, metadata)


def _parse_object(text: bytes, where: str) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            _corrupt(where, f"{twice!r} stands twice in the header")
        return entries

    try:
        parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointRefusedError(f"{where}: corrupt: the header is not JSON") from error
    if not isinstance(parsed, dict):
        _corrupt(where, f"the header is a JSON {type(parsed).__name__}, expected an object")
    return parsed


def _metadata(entry: object, where: str) -> dict[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        _corrupt(where, "__metadata__ is not a map from text to text")
    return cast("dict[str, str]", entry)


def _tensor_info(name: str, entry: object, where: str) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _corrupt(where, f"tensor {name!r}: expected dtype, shape and data_offsets")
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in STORAGE:
        found = _bearable(f"tensor {name!r}: unknown dtype {dtype!r}")
        raise CheckpointRefusedError(f"{where}: {found}, known are {', '.join(STORAGE)}")
    if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(_is_count(length) for length in shape):
        _corrupt(where, f"tensor {name!r}: bad shape, expected at most {MAX_AXES} lengths of 0 or more")
    if math.prod(max(length, 1) for length in shape) * STORAGE[dtype].itemsize > MAX_TENSOR_BYTES:
        _corrupt(where, f"tensor {name!r}: shape {shape} is larger than any array")
    return TensorInfo(name, dtype, tuple(shape))


def _span(info: TensorInfo, entry: dict[str, object], where: str) -> _Span:
    offsets = entry["data_offsets"]
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(offset) for offset in offsets):
        _corrupt(where, f"tensor {info.name!r}: bad data_offsets, expected two counts of bytes")
    begin, end = offsets
    expected = info.bytes
    if end - begin != expected:
        found = f"data_offsets span {end - begin} bytes, {info.dtype} {list(info.shape)} needs {expected}"
        _corrupt(where, f"tensor {info.name!r}: {found}")
    return _Span(info.name, begin, end)


def _check_cover(spans: list[_Span], data_bytes: int, where: str) -> None:
    """The tensors must lie end to end and fill the data."""
    position = 0
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if span.begin != position:
            flaw = "overlaps the tensor before it" if span.begin < position else "leaves a gap before it"
            _corrupt(where, f"tensor {span.name!r} {flaw}: starts at byte {span.begin}, expected {position}")
        position = span.end
    if position > data_bytes:
        _truncated(where, f"{position} bytes of tensors expected, found {data_bytes}")
    if position < data_bytes:
        _corrupt(where, f"{position} bytes of tensors expected, found {data_bytes}")


def _is_count(value: object) -> bool:
    """JSON's true is an int to Python."""
    return type(value) is int and value >= 0


def _corrupt(where: str, found: str) -> NoReturn:
    raise CheckpointRefusedError(f"{where}: corrupt: {_bearable(found)}")


def _truncated(where: str, found: str) -> NoReturn:
    raise CheckpointRefusedError(f"{where}: truncated: {_bearable(found)}", hint="fetch the file again")


def _bearable(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
