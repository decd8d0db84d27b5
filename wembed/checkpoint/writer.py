"""Stored arrays and metadata in; a safetensors file out, whole or not at all.

The bytes are written here and not by the safetensors library, whose raw interface wants copies of all tensors in one
version and memory addresses in the next.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wembed.checkpoint.dtypes import STORAGE, Array
from wembed.checkpoint.header import LENGTH_BYTES, TensorInfo
from wembed.errors import NotFoundError, UsageError, WembedError

_ALIGNMENT = 8  # bytes; the data starts at a multiple of it


def write_safetensors(path: Path, tensors: Mapping[str, tuple[str, Array]], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file in place of whatever was there.

    The header lists the tensors in the order given; the data is ordered by width, so that every tensor is aligned.
    A file that is being read may be replaced. After a failure nothing is left behind.

    Args:
        path: where to; its folder must exist.
        tensors: dtype name and elements, as `Checkpoint.read_stored` gives them, by name.
        metadata: text to keep beside the weights.

    Raises:
        UsageError: if the name does not end in .safetensors, or is that of a folder.
        NotFoundError: if the folder is missing.
        WembedError: if the disk is full or refuses.
    """
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: is written as safetensors, found suffix {path.suffix!r}", "end it in .safetensors")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, expected a file name")
    if not path.parent.is_dir():
        raise NotFoundError(f"{path}: its folder does not exist", hint=f"mkdir -p {path.parent}")
    header, begins = header_of(_infos(tensors), metadata)
    try:
        with _replacing(path) as file:
            file.write(header)
            for name in begins:
                file.write(_raw(tensors[name][1]))
    except OSError as error:
        raise WembedError(f"{path}: could not be written: {(error.strerror or str(error)).lower()}") from error


def header_of(tensors: Mapping[str, TensorInfo], metadata: Mapping[str, str]) -> tuple[bytes, dict[str, int]]:
    """What a safetensors file begins with, and where behind it each tensor's data does.

    Args:
        tensors: what the file will hold, by the name that it has there, in the order in which the header lists it.
        metadata: text to keep beside the weights.

    Returns:
        The length in eight bytes, then the JSON, padded with blanks; and the first byte of every tensor's data, in the
        order of the data.
    """
    begins, end = {}, 0
    for name in sorted(tensors, key=lambda name: -STORAGE[tensors[name].dtype].itemsize):
        begins[name], end = end, end + tensors[name].bytes
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    for name, info in tensors.items():
        offsets = [begins[name], begins[name] + info.bytes]
        entries[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text, begins


def _infos(tensors: Mapping[str, tuple[str, Array]]) -> dict[str, TensorInfo]:
    for name, (dtype, array) in tensors.items():
        if name == "__metadata__" or STORAGE[dtype] != array.dtype:
            raise ValueError(f"tensor {name!r}: {dtype} lies as {STORAGE[dtype]}, found {array.dtype}")
    return {name: TensorInfo(name, dtype, array.shape) for name, (dtype, array) in tensors.items()}


def _raw(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its place at the end, or goes away on any failure."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
