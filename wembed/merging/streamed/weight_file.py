"""Names, dtypes and shapes in; a safetensors file that takes one tensor after the other, in any order.

The header is written last: until then the file begins with zeros, and nothing takes it for a checkpoint.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wembed.checkpoint import TensorInfo
from wembed.checkpoint.dtypes import STORAGE, Array
from wembed.checkpoint.header import LENGTH_BYTES
from wembed.checkpoint.writer import ALIGNMENT


def bytes_of(info: TensorInfo) -> int:
    """What a tensor takes in a file."""
    return info.size * STORAGE[info.dtype].itemsize


@dataclass(frozen=True)
class WeightFile:
    """A file that is being written.

    Args:
        stream: of the file.
        offsets: where each tensor begins, in bytes from the start of the file.
    """

    stream: BinaryIO
    offsets: Mapping[str, int]

    def write(self, name: str, parts: Iterable[Array]) -> None:
        """Writes a tensor: its elements in order, in as many parts as they come."""
        self.stream.seek(self.offsets[name])
        for part in parts:
            self.stream.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)


@contextmanager
def weight_file(path: Path, tensors: Mapping[str, TensorInfo], metadata: Mapping[str, str]) -> Iterator[WeightFile]:
    """A new file, whole once everything in it was written.

    Args:
        path: where to; nothing may be there.
        tensors: what will be in it, by the name that it has there; the data is ordered by width.
        metadata: text beside the weights.
    """
    order = sorted(tensors, key=lambda name: -STORAGE[tensors[name].dtype].itemsize)
    begins, end = {}, 0
    for name in order:
        begins[name], end = end, end + bytes_of(tensors[name])
    header = _header(tensors, begins, metadata)
    with path.open("xb") as stream:
        stream.truncate(len(header) + end)
        yield WeightFile(stream, {name: len(header) + begin for name, begin in begins.items()})
        stream.seek(0)
        stream.write(header)


def _header(tensors: Mapping[str, TensorInfo], begins: Mapping[str, int], metadata: Mapping[str, str]) -> bytes:
    """The length in eight bytes, then the JSON, padded with blanks."""
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    for name, info in tensors.items():
        offsets = [begins[name], begins[name] + bytes_of(info)]
        entries[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text
