"""A file of the MNIST layout in, plain or gzipped; an array of bytes out.

The format: two zero bytes, 8 for unsigned bytes, the number of dimensions; each dimension as four bytes, the highest
first; the values. Whatever departs from that, a file longer or shorter than it says included, is refused.
"""

import contextlib
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from wembed.errors import CheckpointRefusedError, NotFoundError

_MOST_BYTES = 2**30  # unpacked; all of EMNIST is 0.6 GB
_MAGIC = bytes((0, 0, 8))


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Reads a file, at most 1 GiB unpacked.

    Args:
        path: gzipped if it ends in .gz.
        dimensions: how many the array must have: 3 for images, 1 for labels.

    Raises:
        CheckpointRefusedError: the file is broken, truncated, too large or of another type.
        NotFoundError: it can't be opened.
    """
    with _opened(path) as file:
        magic = file.read(4)
        if magic != bytes((*_MAGIC, dimensions)):
            expected = bytes((*_MAGIC, dimensions)).hex()
            raise CheckpointRefusedError(f"{path}: starts with {magic.hex() or 'nothing'}, expected {expected} (idx)")
        sizes = file.read(4 * dimensions)
        if len(sizes) < 4 * dimensions:
            raise CheckpointRefusedError(f"{path}: ends within the header")
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        count = math.prod(shape)
        if count > _MOST_BYTES:
            raise CheckpointRefusedError(f"{path}: says {count:,} bytes, at most {_MOST_BYTES:,} are read")
        values = file.read(count + 1)
    if len(values) != count:
        there = "more follow" if len(values) > count else f"{len(values):,} are there"
        raise CheckpointRefusedError(f"{path}: says {count:,} values, {there}")
    return np.frombuffer(values, np.uint8).reshape(shape)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file; what goes wrong with reading it is one line."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc] # gzip's and plain files share what is used of them
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CheckpointRefusedError(f"{path}: broken gzip file: {error}") from error
    except OSError as error:
        raise NotFoundError(f"{path}: can't be read: {error.strerror or error}") from error
