"""What was known before a network was looked at, as features for the same regression as the embeddings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow

Features = NDArray[np.float64]

_LOGARITHMIC = ("learning_rate", "weight_decay", "params", "width")  # columns whose ratios count
_SMALLEST = 1e-12


def recipe(rows: Sequence[CatalogRow]) -> Features | None:
    """Step, hyperparameters, data set, architecture and size of checkpoints, [N, D].

    None where a checkpoint's step is unknown, or no hyperparameter is known of all.
    """
    names = sorted(set.intersection(*({*_numbers(row)} for row in rows))) if rows else []
    if not names or any(row.step is None for row in rows):
        return None
    columns = [_column(name, [_numbers(row)[name] for row in rows]) for name in names]
    columns += [_column("step", [float(row.step or 0) for row in rows])]
    columns += [_column("params", [float(row.params) for row in rows])]
    columns += [_column("width", [_mean_width(row) for row in rows]), np.array([float(_depth(row)) for row in rows])]
    for kind in ("dataset", "architecture"):
        found = [getattr(row, kind) or "" for row in rows]
        columns += [np.array([name == each for each in found], dtype=np.float64) for name in sorted(set(found))]
    return np.stack(columns, 1)


def _numbers(row: CatalogRow) -> dict[str, float]:
    return {name: float(value) for name, value in row.hyperparameters.items() if isinstance(value, int | float)}


def _column(name: str, values: list[float]) -> Features:
    column = np.array(values)
    return np.log(np.maximum(column, _SMALLEST)) if name in _LOGARITHMIC else column


def _widths(row: CatalogRow) -> list[int]:
    """The hidden widths, as the architecture's label ends with them: mlp-relu-32x32."""
    last = (row.architecture or "").rsplit("-", 1)[-1]
    return [int(part) for part in last.split("x") if part.isdigit()]


def _mean_width(row: CatalogRow) -> float:
    return float(np.mean(_widths(row) or [1]))


def _depth(row: CatalogRow) -> int:
    return len(_widths(row))
