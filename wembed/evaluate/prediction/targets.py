"""Catalog rows in; what is known of each target on every checkpoint, numbers and classes, out.

Legend: N checkpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow
from wembed.prediction import ACCURACY, Limits, Target, known_targets

NUMBERS = ("train_accuracy", "gap")  # beside accuracy
CLASSES = ("dataset", "architecture_family", "activation")


@dataclass(frozen=True)
class Truth:
    """A number that is to be predicted.

    Args:
        target: name of the number.
        values: not a number where it isn't known, [N].
        limits: of the number.
    """

    target: str
    values: NDArray[np.float64]
    limits: Limits


def numeric_truths(rows: Sequence[CatalogRow]) -> list[Truth]:
    """Accuracy, then what else is known of some checkpoint: training accuracy, the generalisation gap."""
    known = known_targets(rows)
    return [_truth(target, rows) for target in (ACCURACY, *(known[name] for name in NUMBERS if name in known))]


def class_truths(rows: Sequence[CatalogRow]) -> dict[str, NDArray[np.str_]]:
    """Target that the zoo varies -> the class of each checkpoint, "" where it isn't known, [N]."""
    known = known_targets(rows)
    return {
        name: np.array([known[name].read(row) or "" for row in rows], dtype=np.str_)
        for name in CLASSES
        if name in known
    }


def _truth(target: Target, rows: Sequence[CatalogRow]) -> Truth:
    found = [target.read(row) for row in rows]
    values = np.array([np.nan if value is None else float(value) for value in found], dtype=np.float64)
    return Truth(target.name, values, target.limits)
