"""Rows in; training, validation and test part out, the same ones every time."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wembed.models.data.dataset import DataKind, Dataset

_TEST = 1 / 3
_VALIDATION = 1 / 6
SPLIT_SEED = 0


@dataclass(frozen=True)
class Rows:
    """Which rows belong to which part; indices into `Examples`, none twice.

    Args:
        train: half of the rows.
        validation: a sixth.
        test: a third.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels, not split yet.

    Args:
        kind: "table" or "images".
        shape: of one input.
        inputs: [N, F]; of a table NaN where a value is missing.
        labels: [N], 0 to classes - 1.
        tested: how many of the rows, the last ones, are a test part that comes with the data; 0 if there is none.
    """

    kind: DataKind
    shape: tuple[int, ...]
    inputs: NDArray[np.floating]
    labels: NDArray[np.int64]
    tested: int = 0

    @property
    def rows(self) -> Rows:
        """The split of these rows."""
        return split_rows(len(self.labels), self.tested)


def split_rows(count: int, tested: int = 0) -> Rows:
    """Draws a third of the rows for testing and a sixth for validation, by a seed that never changes.

    Args:
        count: of rows.
        tested: of them, the last ones: the test part that comes with the data. Then a sixth of the others is for
            validation.
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(count - tested)
    held = 0 if tested else round(_TEST * count)
    validated = held + round(_VALIDATION * len(order))
    test = np.arange(count - tested, count) if tested else order[:held]
    return Rows(order[validated:], order[held:validated], test)


def split(name: str, examples: Examples) -> Dataset:
    """Splits examples; the columns of a table get mean 0 and deviation 1 over the training part.

    Missing values become the mean; a column that is constant in the training part is 0 there.
    """
    rows, inputs = examples.rows, examples.inputs
    if examples.kind == "table":
        inputs = _standardised(inputs.astype(np.float64), rows.train)
    inputs = inputs.astype(np.float32, copy=False)
    tensors = {}
    for part, where in vars(rows).items():
        tensors[f"{part}_inputs"] = torch.from_numpy(inputs[where])
        tensors[f"{part}_labels"] = torch.from_numpy(examples.labels[where]).long()
    return Dataset(name, examples.kind, examples.shape, int(examples.labels.max()) + 1, **tensors)


def _standardised(inputs: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Takes [N, F] with NaN where a value is missing."""
    there = ~np.isnan(inputs[train])
    counts = np.maximum(there.sum(0), 1)  # [F]
    mean = np.where(there, inputs[train], 0).sum(0) / counts
    offsets = np.where(np.isnan(inputs), 0, inputs - mean)  # [N, F]
    deviation = np.sqrt((offsets[train] ** 2).sum(0) / np.maximum(counts - 1, 1))
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1)  # what rounding leaves of a constant
    return offsets / np.where(constant, 1, deviation)
