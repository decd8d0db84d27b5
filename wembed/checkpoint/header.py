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
        header_bytes = _header_length(file.read(LENGTH_BYTES), file_bytes, path)
        text = file.read(header_bytes)
    entries = _parse_object(text, path)
    metadata = _metadata(entries.pop("__metadata__", {}), path)
    tensors = {name: _tensor_info(name, entry, path) for name, entry in entries.items()}
    spans = [_span(info, cast("dict[str, object]", entries[name]), path) for name, info in tensors.items()]
    data_start = LENGTH_BYTES + header_bytes
    _check_cover(spans, file_bytes - data_start, path)
    return Header(tensors, {span.name: data_start + span.begin for span in spans}, metadata)


def _header_length(prefix: bytes, file_bytes: int, path: Path) -> int:
    if not prefix:
        raise CheckpointRefusedError(f"{path}: empty file, found 0 bytes")
    if len(prefix) < LENGTH_BYTES:
        _truncated(path, f"found {len(prefix)} bytes, a safetensors file starts with {LENGTH_BYTES}")
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        _corrupt(path, f"header of {length} bytes, expected at most {MAX_HEADER_BYTES}")
    if LENGTH_BYTES + length > file_bytes:
        _truncated(path, f"header of {length} bytes expected, found {file_bytes - LENGTH_BYTES}")
    return length


def _parse_object(text: bytes, path: Path) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            _corrupt(path, f"{twice!r} stands twice in the header")
        return entries

    try:
        parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointRefusedError(f"{path}: corrupt: the header is not JSON") from error
    if not isinstance(parsed, dict):
        _corrupt(path, f"the header is a JSON {type(parsed).__name__}, expected an object")
    return parsed


def _metadata(entry: object, path: Path) -> dict[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        _corrupt(path, "__metadata__ is not a map from text to text")
    return cast("dict[str, str]", entry)


def _tensor_info(name: str, entry: object, path: Path) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _corrupt(path, f"tensor {name!r}: expected dtype, shape and data_offsets")
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in STORAGE:
        raise CheckpointRefusedError(
            f"{path}: tensor {name!r}: unknown dtype {dtype!r}, known are {', '.join(STORAGE)}"
        )
    if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(_is_count(length) for length in shape):
        _corrupt(path, f"tensor {name!r}: bad shape, expected at most {MAX_AXES} lengths of 0 or more")
    if math.prod(max(length, 1) for length in shape) * STORAGE[dtype].itemsize > MAX_TENSOR_BYTES:
        _corrupt(path, f"tensor {name!r}: shape {shape} is larger than any array")
    return TensorInfo(name, dtype, tuple(shape))


def _span(info: TensorInfo, entry: dict[str, object], path: Path) -> _Span:
    offsets = entry["data_offsets"]
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(offset) for offset in offsets):
        _corrupt(path, f"tensor {info.name!r}: bad data_offsets, expected two counts of bytes")
    begin, end = offsets
    expected = info.size * STORAGE[info.dtype].itemsize
    if end - begin != expected:
        found = f"data_offsets span {end - begin} bytes, {info.dtype} {list(info.shape)} needs {expected}"
        _corrupt(path, f"tensor {info.name!r}: {found}")
    return _Span(info.name, begin, end)


def _check_cover(spans: list[_Span], data_bytes: int, path: Path) -> None:
    """The tensors must lie end to end and fill the data."""
    position = 0
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if span.begin != position:
            flaw = "overlaps the tensor before it" if span.begin < position else "leaves a gap before it"
            _corrupt(path, f"tensor {span.name!r} {flaw}: starts at byte {span.begin}, expected {position}")
        position = span.end
    if position > data_bytes:
        _truncated(path, f"{position} bytes of tensors expected, found {data_bytes}")
    if position < data_bytes:
        _corrupt(path, f"{position} bytes of tensors expected, found {data_bytes}")


def _is_count(value: object) -> bool:
    """JSON's true is an int to Python."""
    return type(value) is int and value >= 0


def _corrupt(path: Path, found: str) -> NoReturn:
    raise CheckpointRefusedError(f"{path}: corrupt: {found}")


def _truncated(path: Path, found: str) -> NoReturn:
    raise CheckpointRefusedError(f"{path}: truncated: {found}", hint="fetch the file again")
