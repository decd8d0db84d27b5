"""results.json: an Evaluation as text and back. Two evaluations that found the same give the same bytes."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wembed.errors import NotFoundError, WembedError
from wembed.evaluate.results import Evaluation

FILE = "results.json"
_MAKE = "make it with `wembed report`, `wembed experiment` or `wembed evaluate -o FILE.json`"
FORMAT = 2
_READ = (1, 2)  # format 1 is a part of 2
_DIGITS = 6  # significant: more than any of the numbers is worth
_EVALUATION = TypeAdapter(Evaluation)
# What may hold a number that isn't finite, such as the loss of a training that diverged; JSON has null for it.
_SERIES: Mapping[str, tuple[str, ...]] = {
    "curves": ("accuracy", "loss"),
    "recall": ("values",),
    "calibration": ("coverages",),
    "training": ("loss", "validation"),
    "predictions": ("value", "low", "high"),
    "zero_shot": ("value", "low", "high"),
    "map": ("x", "y", "layers"),
}


def to_text(evaluation: Evaluation) -> str:
    """JSON with sorted keys, rounded numbers and a line per item; what isn't finite becomes null."""
    values = {"format": FORMAT} | _rounded(_EVALUATION.dump_python(evaluation, mode="json"))
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {_lines(values[name])}" for name in sorted(values)) + "\n}\n"


def read_results(place: Path) -> Evaluation:
    """Gives the evaluation that a folder's results.json, or another such file, holds; a null in a series reads as NaN.

    Raises:
        NotFoundError: if there is none.
        WembedError: if it is no such file.
    """
    path = place / FILE if place.is_dir() or not place.suffix else place
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("format", None) not in _READ:
            raise ValueError(f"expected an object of format {' or '.join(map(str, _READ))}")
        for name, fields in _SERIES.items():
            if name in values:
                values[name] = _with_nans(values[name], fields)
        return _checked(_EVALUATION.validate_python(values))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"no {path.name} in {path.parent}", _MAKE) from error
    except OSError as error:
        raise WembedError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WembedError(f"{path} holds no results: {where}: {first['msg'].lower()}", "evaluate again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WembedError(f"{path} holds no results: {error}", "evaluate again") from error


def _checked(evaluation: Evaluation) -> Evaluation:
    """Raises a ValueError if what belongs together is not equally long, or stands at places that there are none of."""
    for curve in evaluation.curves:
        _check_lengths("curves: t", curve.t, [*curve.accuracy.values(), *curve.loss.values()])
        if not curve.t:
            raise ValueError("curves: t is empty")
    for found in evaluation.recall:
        _check_lengths("recall: depths", found.depths, [found.values])
        if min(found.depths, default=1) < 1:
            raise ValueError(f"recall: depths: expected 1 or more, found {min(found.depths)}")
    for one in evaluation.calibration:
        _check_lengths("calibration: levels", one.levels, [one.coverages])
    for training in evaluation.training:
        _check_lengths("training: epochs", training.epochs, [training.loss, training.validation])
    return evaluation


def _check_lengths(name: str, places: Sequence[float], series: Iterable[Sequence[float]]) -> None:
    for values in series:
        if len(values) != len(places):
            raise ValueError(f"{name}: {len(places)} places but {len(values)} values")


def _lines(value: Any) -> str:  # whatever JSON can hold
    """A list with a line per item, an object with one per entry; what is inside them in one line."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {_line(item)}" for item in value) + "\n ]"
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join(f"  {json.dumps(name)}: {_line(value[name])}" for name in sorted(value)) + "\n }"
    return _line(value)


def _line(value: Any) -> str:  # whatever JSON can hold
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _rounded(value: Any) -> Any:  # whatever JSON can hold
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        case dict():
            return {str(key): _rounded(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_rounded(entry) for entry in value]
        case _:
            return value


def _with_nans(value: Any, fields: tuple[str, ...]) -> Any:  # whatever JSON can hold
    """The same with NaN in place of null, in some fields of the items that lists and objects hold."""
    match value:
        case list():
            return [_with_nans(entry, fields) for entry in value]
        case dict() if any(name in value for name in fields):
            return {name: _filled(entry) if name in fields else entry for name, entry in value.items()}
        case dict():
            return {name: _with_nans(entry, fields) for name, entry in value.items()}
        case _:
            return value


def _filled(value: Any) -> Any:  # whatever JSON can hold
    match value:
        case list():
            return [_filled(entry) for entry in value]
        case dict():
            return {name: _filled(entry) for name, entry in value.items()}
        case None:
            return math.nan
        case _:
            return value
