"""What was known before a network was looked at, as features for the same regression as the embeddings.

Legend: N checkpoints, D features.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow
from wembed.prediction.targets import finite

Features = NDArray[np.float64]

RECIPE = "hyperparameters"
NAME = "name and config"
WIDTH = "width"
KNOWN_BEFORE = (RECIPE, NAME, WIDTH)

_LOGARITHMIC = ("learning_rate", "weight_decay", "params", "width")  # columns whose ratios count
_RESULTS = ("agreement",)  # hyperparameters by name, but measured after training
_SMALLEST = 1e-12
_MOST_VALUES = 256  # of what is no number
_NUMBER = re.compile("[0-9]{1,9}")


def recipe(rows: Sequence[CatalogRow]) -> Features | None:
    """Step, hyperparameters, derivation, data set, architecture and size of checkpoints, [N, D].

    Where a number isn't known, the mean stands, and a column says so. None where no step or no hyperparameter is known.
    """
    numbers, words = list(map(_numbers, rows)), list(map(_words, rows))
    if (not any(numbers) and not any(words)) or all(row.step is None for row in rows):
        return None
    columns = [column for name in _names(numbers) for column in _filled(name, [each.get(name) for each in numbers])]
    columns += [column for name in _names(words) for column in _one_hot([each.get(name) for each in words])]
    columns += _filled("step", [row.step for row in rows])
    return np.stack([*columns, *_one_hot([row.derivation for row in rows]), *_configured(rows)], 1)


def name_and_config(rows: Sequence[CatalogRow]) -> Features:
    """Data set, architecture, depth and size of checkpoints, which no training run changes, [N, D]."""
    return np.stack(_configured(rows), 1)


def width_only(rows: Sequence[CatalogRow]) -> Features:
    """The mean hidden width, [N, 1]."""
    return _filled("width", [_mean_width(row) for row in rows])[0][:, None]


def known_before(rows: Sequence[CatalogRow]) -> dict[str, Features]:
    """Name -> the features of every baseline that looks at no weights, as far as the catalog knows enough."""
    makers: Mapping[str, Callable[[Sequence[CatalogRow]], Features | None]] = {
        RECIPE: recipe,
        NAME: name_and_config,
        WIDTH: width_only,
    }
    found = {name: make(rows) for name, make in makers.items()}
    return {name: features for name, features in found.items() if features is not None}


def hidden_widths(row: CatalogRow) -> list[int]:
    """The hidden widths, as the architecture's label ends with them: mlp-relu-32x32."""
    last = (row.architecture or "").rsplit("-", 1)[-1]
    return [int(part) for part in last.split("x") if _NUMBER.fullmatch(part)]


def _numbers(row: CatalogRow) -> dict[str, float]:
    found = {name: finite(value) for name, value in row.hyperparameters.items() if name not in _RESULTS}
    return {name: value for name, value in found.items() if value is not None}


def _words(row: CatalogRow) -> dict[str, str]:
    return {name: value for name, value in row.hyperparameters.items() if isinstance(value, str)}


def _names(found: Sequence[Mapping[str, object]]) -> list[str]:
    return sorted(set().union(*found))


def _configured(rows: Sequence[CatalogRow]) -> list[Features]:
    numbers: dict[str, list[float]] = {
        "params": [row.params for row in rows],
        "width": [_mean_width(row) for row in rows],
        "depth": [len(hidden_widths(row)) for row in rows],
    }
    columns = [column for name, values in numbers.items() for column in _filled(name, values)]
    return columns + _one_hot([row.dataset for row in rows]) + _one_hot([row.architecture for row in rows])


def _filled(name: str, values: Sequence[float | None]) -> list[Features]:
    """A column, and where something is unknown a second one that says where."""
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.log(np.maximum(column, _SMALLEST)) if name in _LOGARITHMIC else column
    unknown = np.isnan(column)
    if not unknown.any():
        return [column]
    return [np.where(unknown, column[~unknown].mean(), column), unknown.astype(np.float64)]


def _one_hot(values: Sequence[str | None]) -> list[Features]:
    """A column for each value, the commonest where they are too many."""
    counts = Counter(value or "" for value in values)
    found = sorted(sorted(counts, key=lambda value: (-counts[value], value))[:_MOST_VALUES])
    return [np.array([(value or "") == each for value in values], dtype=np.float64) for each in found]


def _mean_width(row: CatalogRow) -> float:
    return float(np.mean(hidden_widths(row) or [1]))
