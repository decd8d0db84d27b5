"""Catalog rows in; what can be predicted of checkpoints like these, and its value of each row, out.

A number or a category: accuracies, and what made the network, as far as the zoo varies it and says it.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from wembed.catalog import CatalogRow
from wembed.errors import NotFoundError, UsageError
from wembed.models.architectures.base import Activation
from wembed.prediction.predictor import UNIT
from wembed.prediction.regression import Limits

Value = float | str

_RATIO = 10.0  # between the greatest and the least of positive numbers from which on their ratios count
_FEW = 5  # different numbers, all whole, that are taken for names
_MOST_CLASSES = 64
_RUNS_PER_CLASS = 4  # at least, on average: names that hardly any two runs share are no classes
_ACTIVATIONS = frozenset(get_args(Activation))


@dataclass(frozen=True)
class Target:
    """Something that can be predicted.

    Args:
        name: what a person calls it.
        kind: whether it is a number or a category.
        read: its value of a row; None where it isn't known.
        limits: of a number.
        logarithmic: whether it is the ratio of two numbers that counts; the limits are of the number itself.
    """

    name: str
    kind: Literal["number", "category"]
    read: Callable[[CatalogRow], Value | None]
    limits: Limits = UNIT
    logarithmic: bool = False


def architecture_family(row: CatalogRow) -> str | None:
    """The first word of the architecture's label, such as mlp of mlp-relu-32x32; None where it isn't known."""
    return (row.architecture or "").partition("-")[0] or None


def _activation(row: CatalogRow) -> str | None:
    return next((word for word in (row.architecture or "").split("-") if word in _ACTIVATIONS), None)


def finite(value: object) -> float | None:
    """A number; None for what is none, isn't finite or is too great for a float: no regression can be fitted on it."""
    if not isinstance(value, int | float):
        return None
    with contextlib.suppress(OverflowError):  # such as of 10**400
        return float(value) if math.isfinite(value) else None
    return None


ACCURACY = Target("accuracy", "number", lambda row: finite(row.accuracy))

_OF_EVERY_ZOO = (
    ACCURACY,
    Target("train_accuracy", "number", lambda row: finite(row.train_accuracy)),
    Target("gap", "number", lambda row: finite(row.gap), Limits(-1.0, 1.0)),
    Target("dataset", "category", lambda row: row.dataset),
    Target("task", "category", lambda row: row.task),
    Target("architecture_family", "category", architecture_family),
    Target("activation", "category", _activation),
)


def known_targets(rows: Sequence[CatalogRow]) -> dict[str, Target]:
    """The targets that a zoo varies, by name: those of every zoo first, then hyperparameters.

    Args:
        rows: of the zoo.
    """
    names = sorted({name for row in rows for name in row.hyperparameters})
    targets = [*_OF_EVERY_ZOO, *filter(None, (_of_hyperparameter(name, rows) for name in names))]
    return {target.name: target for target in targets if _varies(target, rows)}


def find_target(name: str, rows: Sequence[CatalogRow]) -> Target:
    """The target of a name.

    Raises:
        UsageError: there is none of that name, listing those that there are.
        NotFoundError: the zoo does not say or vary it.
    """
    known = known_targets(rows)
    if name in known:
        return known[name]
    hint = f"known are {', '.join(known)}, all" if known else _NOTHING
    own = {target.name: target for target in _OF_EVERY_ZOO}
    if name not in own and not any(name in row.hyperparameters for row in rows):
        raise UsageError(f"no target {name!r}, {hint}")
    if name == ACCURACY.name:
        raise NotFoundError(
            f"no accuracy is known of the zoo's {len(rows)} checkpoints, nothing to predict from", _NOTHING
        )
    read = own[name].read if name in own else _reader(name)
    raise NotFoundError(f"nothing to predict {name} from: in this zoo it {_why_not(read, rows)}", hint)


_NOTHING = "`wembed zoo build` makes checkpoints with accuracies, `wembed zoo add --metadata rows.csv` adds known ones"


def _why_not(read: Callable[[CatalogRow], Value | None], rows: Sequence[CatalogRow]) -> str:
    found = {value for row in rows if (value := read(row)) is not None}
    if len(found) > 1:
        return f"takes {len(found)} values, too many for its {len(rows)} checkpoints"
    return f"is always {found.pop()!r}" if found else f"is known of none of its {len(rows)} checkpoints"


def _varies(target: Target, rows: Sequence[CatalogRow]) -> bool:
    found: dict[Value, set[str]] = {}
    for row in rows:
        value = target.read(row)
        if value is not None:
            found.setdefault(value, set()).add(row.run or row.id)
    if target.kind == "number":
        return bool(found) if target in _OF_EVERY_ZOO else len(found) > 1
    runs = len(set().union(*found.values())) if found else 0
    return 1 < len(found) <= _MOST_CLASSES and runs >= _RUNS_PER_CLASS * len(found)


def _of_hyperparameter(name: str, rows: Sequence[CatalogRow]) -> Target | None:
    if name in {target.name for target in _OF_EVERY_ZOO}:
        return None
    values = [row.hyperparameters[name] for row in rows if name in row.hyperparameters]
    told = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    numbers = [number for value in told if (number := finite(value)) is not None]
    are_names = all(number.is_integer() for number in numbers) and len(set(numbers)) <= _FEW
    if len(told) < len(values) or are_names:
        return Target(name, "category", _reader(name))
    low, high = min(numbers), max(numbers)
    return Target(name, "number", _number_reader(name), Limits(low, high), low > 0 and high / low >= _RATIO)


def _reader(name: str) -> Callable[[CatalogRow], Value | None]:
    def read(row: CatalogRow) -> Value | None:
        value = row.hyperparameters.get(name)
        return None if value is None or isinstance(value, list | dict) else str(value)

    return read


def _number_reader(name: str) -> Callable[[CatalogRow], Value | None]:
    def read(row: CatalogRow) -> Value | None:
        return finite(row.hyperparameters.get(name))

    return read


def values_of(target: Target, rows: Sequence[CatalogRow]) -> Mapping[str, Value]:
    """Id -> value, of the rows where it is known."""
    found = {row.id: target.read(row) for row in rows}
    return {name: value for name, value in found.items() if value is not None}
