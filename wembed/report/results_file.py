"""results.json: an Evaluation as text and back. Two evaluations that found the same give the same bytes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wembed.errors import NotFoundError, WembedError
from wembed.evaluate.results import Evaluation

FILE = "results.json"
FORMAT = 1
_DIGITS = 6  # significant: more than any of the numbers is worth
_EVALUATION = TypeAdapter(Evaluation)


def to_text(evaluation: Evaluation) -> str:
    """JSON with sorted keys and rounded numbers; what isn't finite becomes null."""
    values = _rounded(_EVALUATION.dump_python(evaluation, mode="json"))
    return json.dumps({"format": FORMAT} | values, sort_keys=True, indent=1, allow_nan=False) + "\n"


def read_results(folder: Path) -> Evaluation:
    """Gives the evaluation that a folder's results.json holds; a null in a curve reads as NaN.

    Raises:
        NotFoundError: if there is none.
        WembedError: if it is no such file.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise ValueError(f"expected an object of format {FORMAT}")
        values["curves"] = [_with_nans(curve) for curve in values.get("curves", ())]
        return _EVALUATION.validate_python(values)
    except FileNotFoundError as error:
        raise NotFoundError(f"no {FILE} in {folder}", "make it with `wembed report` or `wembed experiment`") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WembedError(f"{path} holds no results: {where}: {first['msg'].lower()}", "evaluate again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WembedError(f"{path} holds no results: {error}", "evaluate again") from error


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


def _with_nans(curve: Mapping[str, Any]) -> dict[str, Any]:  # a curve as JSON holds it
    lines = {
        name: {method: [math.nan if value is None else value for value in line] for method, line in curve[name].items()}
        for name in ("accuracy", "loss")
    }
    return dict(curve) | lines
