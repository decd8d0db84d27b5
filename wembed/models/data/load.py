"""A name in, with a file where the name alone says nothing; the data set out.

NAME-parity has the inputs of NAME and tells odd labels from even ones; NAME-masked of a text asks for masked
characters; mnist-14 and fashion-14 have images of 14 x 14.
"""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from wembed.errors import NotFoundError, UsageError
from wembed.models.data import bundled, text
from wembed.models.data.dataset import Dataset
from wembed.models.data.file import DataFile, read_file
from wembed.models.data.images import as_images, halved
from wembed.models.data.mnist import has_mnist, read_mnist
from wembed.models.data.split import Examples, split

_PARITY, _MASKED, _HALVED = "-parity", "-masked", "-14"

_BUNDLED: Mapping[str, Callable[[], Examples]] = {
    "digits": bundled.digits,
    "wine": bundled.wine,
    "breast_cancer": bundled.breast_cancer,
    "iris": bundled.iris,
    "diabetes": bundled.diabetes,
}
_IMAGES = {"mnist": ("mnist",), "fashion": ("fashion-mnist", "fashion")}  # names of their folders
_TEXTS: Mapping[str, Callable[[], str]] = {"documentation": text.documentation, "licences": text.licences}
_PLACE = Path("/usr/share/datasets")  # of Debian's packages
_HINTS = {
    "mnist": "give its folder or a file with --data mnist=PATH, or put it into $WEMBED_DATA/mnist",
    "fashion": "install Debian's dataset-fashion-mnist, or --data fashion=PATH, or put it into $WEMBED_DATA/fashion",
}

_CLASSIFICATIONS = (*_BUNDLED, *(f"{name}{size}" for name in _IMAGES for size in ("", _HALVED)))
_WITH_LABELS = (*_CLASSIFICATIONS, *(f"{name}{how}" for name in _TEXTS for how in ("", _MASKED)))

DATASETS: tuple[str, ...] = (*_WITH_LABELS, *(f"{name}{_PARITY}" for name in _CLASSIFICATIONS))


def load_dataset(name: str, file: DataFile | None = None) -> Dataset:
    """Gives a data set by name, loaded once in a process; its parts are the same every time.

    Args:
        name: one of DATASETS, or with a file any other.
        file: where it is; of mnist and fashion if they are not where they are looked for.

    Raises:
        NotFoundError: there is none of that name, or it is not on this machine.
        UsageError: the name and the file do not fit.
        CheckpointRefusedError: the file is broken, or no classification task.
    """
    return _load(name, file, os.environ.get("WEMBED_DATA"))


@functools.cache
def _load(name: str, file: DataFile | None, folder: str | None) -> Dataset:
    base = name.removesuffix(_PARITY)
    if base != name:
        return _parity(name, _load(base, file, folder))
    base = name.removesuffix(_HALVED)
    if base in _IMAGES:
        examples = _images(base, file, folder)
        return split(name, halved(examples) if base != name else examples)
    base = name.removesuffix(_MASKED)
    if file is None:
        if name in _BUNDLED:
            return split(name, _BUNDLED[name]())
        if base in _TEXTS:
            return _text(name, _TEXTS[base]())
        known = f"known are {', '.join(_WITH_LABELS)}; one with classes also as NAME{_PARITY}"
        raise NotFoundError(f"no data set {name!r}", f"{known}; a file as --data {name or 'NAME'}=PATH")
    if base in (*_BUNDLED, *_TEXTS):
        raise UsageError(f"data set {name} is not read from a file", f"give {file.path} another name")
    found = read_file(file)
    if isinstance(found, str):
        return _text(name, found)
    if base != name:
        raise UsageError(f"data set {name}: {file.path} is no text, nothing to mask", f"name it {base}")
    return split(name, found)


def _parity(name: str, dataset: Dataset) -> Dataset:
    if dataset.kind == "text":
        raise UsageError(f"data set {name}: {dataset.name} is a text, characters are neither odd nor even")
    labels = {f"{part}_labels": getattr(dataset, f"{part}_labels") % 2 for part in ("train", "validation", "test")}
    return replace(dataset, name=name, classes=2, **labels)


def _text(name: str, characters: str) -> Dataset:
    of = text.masked_characters if name.endswith(_MASKED) else text.next_characters
    return of(name, characters)


def _images(name: str, file: DataFile | None, folder: str | None) -> Examples:
    """Reads what is like MNIST from a file, or from where it is found."""
    if file is None:
        places = [Path(folder) / each for each in (name, *_IMAGES[name])] if folder else []
        places += [_PLACE / each for each in _IMAGES[name]]
        found = next((place for place in places if has_mnist(place)), None)
        if found is None:
            looked = ", ".join(str(place) for place in dict.fromkeys(places))
            raise NotFoundError(f"data set {name} is not on this machine, looked in {looked}", _HINTS[name])
        return as_images(read_mnist(found), str(found))
    examples = read_file(file)
    if isinstance(examples, str):
        raise UsageError(f"data set {name}: {file.path} is a text", "give the file another name")
    return as_images(examples, str(file.path))
