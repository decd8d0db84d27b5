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
from wembed.errors import NotFoundError, UsageError, WembedError

ALIGNMENT = 8  # bytes; the data starts at a multiple of it


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
    order = _data_order(tensors)
    header = _header(tensors, order, metadata)
    try:
        with _replacing(path) as file:
            file.write(header)
            for name in order:
                file.write(_raw(tensors[name][1]))
    except OSError as error:
        raise WembedError(f"{path}: could not be written: {(error.strerror or str(error)).lower()}") from error


def _data_order(tensors: Mapping[str, tuple[str, Array]]) -> list[str]:
    for name, (dtype, array) in tensors.items():
        if name == "__metadata__" or STORAGE[dtype] != array.dtype:
            raise ValueError(f"tensor {name!r}: {dtype} lies as {STORAGE[dtype]}, found {array.dtype}")
    return sorted(tensors, key=lambda name: -tensors[name][1].itemsize)


def _header(tensors: Mapping[str, tuple[str, Array]], order: list[str], metadata: Mapping[str, str]) -> bytes:
    """The length in eight bytes, then the JSON, padded with blanks."""
    begin, offsets = 0, {}
    for name in order:
        end = begin + tensors[name][1].nbytes
        offsets[name] = [begin, end]
        begin = end
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    for name, (dtype, array) in tensors.items():
        entries[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets[name]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


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
