"""Data sets by name: scikit-learn's bundled ones, standardised and split once and for all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.errors import NotFoundError

_HELD_OUT = 1 / 3
_SPLIT_SEED = 0


@dataclass(frozen=True)
class Dataset:
    """A classification task.

    Args:
        name: what it is called.
        shape: of one input: (features,) or (channels, height, width).
        classes: number of labels.
        train_inputs: [N, F] float32; images are flattened, channels first.
        train_labels: [N] int64.
        test_inputs: [M, F], seen by no training.
        test_labels: [M].
    """

    name: str
    shape: tuple[int, ...]
    classes: int
    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


def load_dataset(name: str) -> Dataset:
    """A data set by name; the same third of it is held out every time.

    Raises:
        NotFoundError: there is none of that name.
    """
    if name not in DATASETS:
        raise NotFoundError(f"no data set {name!r}", f"known are {', '.join(DATASETS)}")
    return DATASETS[name](name)


def _digits(name: str) -> Dataset:
    """1,797 images of 8 x 8 pixels with values 0 to 16."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return _split(name, (1, 8, 8), found.data / 16.0, found.target)


def _wine(name: str) -> Dataset:
    from sklearn.datasets import load_wine

    return _table(name, load_wine())


def _breast_cancer(name: str) -> Dataset:
    from sklearn.datasets import load_breast_cancer

    return _table(name, load_breast_cancer())


def _table(name: str, found: Any) -> Dataset:  # a sklearn Bunch, which has no types
    """Columns at mean 0 and deviation 1 over the training part."""
    split = _split(name, found.data.shape[1:], found.data, found.target)
    mean, deviation = split.train_inputs.mean(0), split.train_inputs.std(0)
    train, test = (split.train_inputs - mean) / deviation, (split.test_inputs - mean) / deviation
    return Dataset(name, split.shape, split.classes, train, split.train_labels, test, split.test_labels)


def _split(name: str, shape: tuple[int, ...], inputs: NDArray[np.float64], labels: NDArray[np.int64]) -> Dataset:
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(labels))
    held = round(_HELD_OUT * len(labels))
    test, train = order[:held], order[held:]
    parts = [torch.from_numpy(inputs[train]).float(), torch.from_numpy(labels[train]).long()]
    parts += [torch.from_numpy(inputs[test]).float(), torch.from_numpy(labels[test]).long()]
    return Dataset(name, shape, int(labels.max()) + 1, *parts)


DATASETS: dict[str, Callable[[str], Dataset]] = {"digits": _digits, "wine": _wine, "breast_cancer": _breast_cancer}
