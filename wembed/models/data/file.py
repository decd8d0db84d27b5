"""What people write about a file of data in; its examples or its text out."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wembed.errors import NotFoundError, UsageError
from wembed.models.data.arrays import read_npy, read_npz
from wembed.models.data.mnist import has_mnist, read_mnist
from wembed.models.data.split import Examples
from wembed.models.data.table import read_table
from wembed.models.data.text import read_text, read_texts


class DataFile(BaseModel):
    """A data set of one's own.

    Args:
        path: .npz, .npy, .csv, .tsv, .parquet or .txt, or a folder with files of the MNIST layout or with .txt files.
        target: the column, or the array, that holds the labels; the last column, or an array of a usual name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    target: str | None = None


_WITH_TARGET: Mapping[str, Callable[[Path, str | None], Examples]] = {
    ".npz": read_npz,
    ".csv": read_table,
    ".tsv": read_table,
    ".parquet": read_table,
}
_WITHOUT: Mapping[str, Callable[[Path], Examples | str]] = {".npy": read_npy, ".txt": read_text}


def read_file(file: DataFile) -> Examples | str:
    """Reads what a file has.

    Raises:
        NotFoundError: it isn't there, or the folder has none of the files that are known.
        UsageError: nothing is known about such files, or they have no target to choose.
        CheckpointRefusedError: it's broken, or no classification task.
    """
    path = file.path.expanduser()
    try:
        return _read(path, file.target)
    except OSError as error:
        raise NotFoundError(f"{path}: can't be read: {error.strerror or error}") from error


def _read(path: Path, target: str | None) -> Examples | str:
    if not path.exists():
        raise NotFoundError(f"{path}: no such file of data")
    suffix = path.suffix.lower() if path.is_file() else ""
    if suffix in _WITH_TARGET:
        return _WITH_TARGET[suffix](path, target)
    if target is not None:
        raise UsageError(f"{path}: target {target!r} cannot be chosen", f"it can in {', '.join(_WITH_TARGET)}")
    if path.is_dir():
        return _read_folder(path)
    if suffix not in _WITHOUT:
        known = ", ".join((*_WITH_TARGET, *_WITHOUT))
        raise UsageError(f"{path}: data sets are not read from {suffix or 'such'} files", f"known are {known}")
    return _WITHOUT[suffix](path)


def _read_folder(path: Path) -> Examples | str:
    if has_mnist(path):
        return read_mnist(path)
    if any(path.glob("*.txt")):
        return read_texts(path)
    raise NotFoundError(f"{path}: neither files of the MNIST layout nor .txt files are in the folder")
