"""An .npz or .npy file in; tables or images with their labels out."""

import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.errors import CheckpointRefusedError, UsageError
from wembed.models.data.images import images_of
from wembed.models.data.rules import check_finite, numbered
from wembed.models.data.split import Examples

_MOST_BYTES = 2**31  # unpacked
_INPUTS = ("inputs", "x", "X", "images", "data")
_LABELS = ("labels", "y", "Y", "targets")
_BROKEN = (  # what numpy and zipfile make of broken files
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    NotImplementedError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_TRAIN, _TEST = ("x_train", "y_train"), ("x_test", "y_test")

_SHAPES = "[N, F], [N, H, W], [N, C, H, W] or [N, H, W, C]"

Array = NDArray[np.generic]


def read_npz(path: Path, target: str | None) -> Examples:
    """Reads inputs [N, F], [N, H, W], [N, C, H, W] or [N, H, W, C], and labels [N], by their usual names.

    With x_train, y_train, x_test and y_test the test part stays one. Pixels that are not negative are divided by the
    largest of the training part, unless that is 1 or less.

    Args:
        path: of the file; no object is unpickled.
        target: the name of the labels, if it is none of the usual.

    Raises:
        CheckpointRefusedError: the file is broken, too large, or no classification task.
        UsageError: there are no arrays of such names.
    """
    arrays = _load_npz(path)
    if all(name in arrays for name in (*_TRAIN, *_TEST)):
        parts = [(arrays[inputs], arrays[labels]) for inputs, labels in (_TRAIN, _TEST)]
        if parts[0][0].shape[1:] != parts[1][0].shape[1:]:
            raise CheckpointRefusedError(f"{path}: x_train {parts[0][0].shape} and x_test {parts[1][0].shape} differ")
        _check_lengths(path, *parts[1])
        inputs, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
        return _examples(path, inputs, labels, len(parts[1][1]))
    inputs = _named(path, arrays, (*_INPUTS, _TRAIN[0]), "inputs")
    labels = _named(path, arrays, (target,) if target else (*_LABELS, _TRAIN[1]), "labels")
    return _examples(path, inputs, labels)


def read_npy(path: Path) -> Examples:
    """Reads a table [N, F + 1] whose last column is the label.

    Raises:
        CheckpointRefusedError: the file is broken, or no classification task.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # no object is unpickled
    except _BROKEN as error:
        raise _broken(path, error) from error
    if array.ndim != 2 or array.shape[1] < 2:
        raise CheckpointRefusedError(f"{path}: shape {array.shape}, expected [rows, inputs and then the label]")
    if array.nbytes > _MOST_BYTES:
        raise CheckpointRefusedError(f"{path}: {array.nbytes:,} bytes, at most {_MOST_BYTES:,} are read")
    return _examples(path, array[:, :-1], array[:, -1])


def _load_npz(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > _MOST_BYTES:
            raise CheckpointRefusedError(f"{path}: {size:,} bytes unpacked, at most {_MOST_BYTES:,} are read")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _BROKEN as error:
        raise _broken(path, error) from error


def _named(path: Path, arrays: Mapping[str, Array], names: tuple[str, ...], what: str) -> Array:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise UsageError(
        f"{path}: no array {' or '.join(names)} for the {what}, it has {', '.join(arrays) or 'none'}",
        "labels of another name: say which with target",
    )


def _examples(path: Path, inputs: Array, labels: Array, tested: int = 0) -> Examples:
    _check_lengths(path, inputs, labels)
    if inputs.dtype.kind not in "biuf" or inputs.ndim not in (2, 3, 4) or 0 in inputs.shape:
        found = f"inputs of shape {inputs.shape} and type {inputs.dtype}"
        raise CheckpointRefusedError(f"{path}: {found}, expected numbers {_SHAPES}")
    numbers = numbered(labels, f"{path}: labels")
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and is refused
        flat = inputs.astype(np.float32)
    check_finite(flat.reshape(len(flat), -1), f"{path}: inputs")
    if inputs.ndim == 2:
        return Examples("table", inputs.shape[1:], flat, numbers, tested)
    return images_of(flat, numbers, tested)


def _check_lengths(path: Path, inputs: Array, labels: Array) -> None:
    if not inputs.ndim or not labels.ndim or len(inputs) != len(labels):
        raise CheckpointRefusedError(f"{path}: inputs {inputs.shape} and labels {labels.shape} do not fit")


def _broken(path: Path, error: Exception) -> CheckpointRefusedError:
    return CheckpointRefusedError(f"{path}: can't be read as arrays of numbers: {' '.join(str(error).split())}")
