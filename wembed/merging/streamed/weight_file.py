"""Names, dtypes and shapes in; a safetensors file that takes one tensor after the other, in any order.

The header is written last: until then the file begins with zeros, and nothing takes it for a checkpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wembed.checkpoint import TensorInfo
from wembed.checkpoint.dtypes import Array
from wembed.checkpoint.writer import header_of


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
    header, begins = header_of(tensors, metadata)
    with path.open("xb") as stream:
        stream.truncate(len(header) + sum(info.bytes for info in tensors.values()))
        yield WeightFile(stream, {name: len(header) + begin for name, begin in begins.items()})
        stream.seek(0)
        stream.write(header)
