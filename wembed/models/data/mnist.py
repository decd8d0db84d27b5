"""A folder with files of the MNIST layout in; images of all its parts out, the test part last."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.errors import CheckpointRefusedError, NotFoundError
from wembed.models.data.idx import read_idx
from wembed.models.data.rules import numbered
from wembed.models.data.split import Examples

_PARTS = ("train", "t10k")
_SPELLINGS = ("{}-{}-{}-ubyte", "{}-{}.{}-ubyte", "{}-{}-{}.ubyte")
_WHAT = {"images": ("idx3", 3), "labels": ("idx1", 1)}


def has_mnist(folder: Path) -> bool:
    """Whether there are images of either part."""
    return any(_path(folder, part, "images") for part in _PARTS)


def read_mnist(folder: Path) -> Examples:
    """Reads train-images-idx3-ubyte and so on, each plain or with .gz; pixels are scaled to 0 to 1.

    Where both parts are there, t10k is the test part; one part alone is all there is.

    Raises:
        NotFoundError: there are no images, or no labels for them.
        CheckpointRefusedError: a file is broken, or images and labels do not fit.
    """
    found = [(_read(folder, part, "images"), _read(folder, part, "labels")) for part in _parts(folder)]
    for images, labels in found:
        if len(images) != len(labels) or images.shape[1:] != found[0][0].shape[1:]:
            shapes = f"images {images.shape}, labels {labels.shape}"
            raise CheckpointRefusedError(f"{folder}: images and labels do not fit: {shapes}")
    images, labels = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255
    tested = len(found[1][1]) if len(found) == 2 else 0
    return Examples("images", (1, *images.shape[1:]), pixels, numbered(labels, f"{folder}: labels"), tested)


def _parts(folder: Path) -> list[str]:
    found = [part for part in _PARTS if _path(folder, part, "images")]
    if not found:
        raise NotFoundError(
            f"{folder}: no files of the MNIST layout", "expected train-images-idx3-ubyte.gz, t10k-images-idx3-ubyte.gz"
        )
    return found


def _read(folder: Path, part: str, what: str) -> NDArray[np.uint8]:
    path = _path(folder, part, what)
    if path is None:
        raise NotFoundError(f"{folder}: {part} images without their labels", f"expected {part}-labels-idx1-ubyte.gz")
    return read_idx(path, _WHAT[what][1])


def _path(folder: Path, part: str, what: str) -> Path | None:
    names = [spelling.format(part, what, _WHAT[what][0]) for spelling in _SPELLINGS]
    paths = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)
