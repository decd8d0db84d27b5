"""Embeddings in; a .npz or .parquet file, whole or not at all, out."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.errors import UsageError, WembedError
from wembed.zoo.embed import Embedded


def check_suffix(path: Path | None) -> None:
    """Raises a UsageError if a path isn't of a kind that can be written."""
    if path is not None and path.suffix not in _WRITERS:
        raise UsageError(f"cannot write {path}: known are {', '.join(_WRITERS)}", "give -o one of these endings")


def save_embeddings(path: Path, embedded: Sequence[Embedded], dimension: int) -> None:
    """Writes ids and embeddings in the order given.

    A .npz holds `ids` [N] and `embeddings` [N, D] float32, a .parquet the columns `id` and `embedding`.

    Raises:
        WembedError: if the file can't be written.
    """
    ids = [entry.id for entry in embedded]
    vectors = np.zeros((len(ids), dimension), np.float32)  # [N, D]
    for vector, entry in zip(vectors, embedded, strict=True):
        vector[:] = entry.vector
    with written_whole(path) as partial:
        _WRITERS[path.suffix](partial, ids, vectors)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a path to write to, which becomes the path that is meant once all of it is written.

    Raises:
        WembedError: if it can't be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise WembedError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_npz(path: Path, ids: list[str], vectors: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.savez(file, ids=np.array(ids, dtype=np.str_), embeddings=vectors)


def _write_parquet(path: Path, ids: list[str], vectors: NDArray[np.float32]) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    pa.parquet.write_table(pa.table({"id": pa.array(ids, pa.string()), "embedding": embedding}), path)


_WRITERS: dict[str, Callable[[Path, list[str], NDArray[np.float32]], None]] = {
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}
