"""What is wrong in a manifest beyond a single field, in pydantic's terms: a place, a reason and perhaps a hint."""

from collections.abc import Callable
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

Place = tuple[int | str, ...]

_TITLE = "manifest"
_KNOWN = frozenset(get_args(ErrorType))


def refused(place: Place, reason: str, hint: str = "") -> ValidationError:
    """An error at one place of what people wrote, to be raised from within a validator.

    Args:
        place: keys and numbers from the top down.
        reason: found versus expected, lower case, no full stop.
        hint: what to try next.
    """
    kind = PydanticCustomError("refused", "{reason}", {"reason": reason, "hint": hint})
    return ValidationError.from_exception_data(_TITLE, [InitErrorDetails(type=kind, loc=place, input={})])


def moved(error: ValidationError, place_of: Callable[[Place, str], Place]) -> ValidationError:
    """The same errors at other places.

    Args:
        error: of a part that was validated by itself.
        place_of: the place in the manifest for a place in that part and pydantic's word for what is wrong.
    """
    return ValidationError.from_exception_data(_TITLE, [_moved(entry, place_of) for entry in error.errors()])


def _moved(entry: Any, place_of: Callable[[Place, str], Place]) -> InitErrorDetails:  # Any: pydantic's ErrorDetails
    context = entry.get("ctx", {})
    is_known = entry["type"] in _KNOWN
    kind = entry["type"] if is_known else PydanticCustomError(entry["type"], "{reason}", {"reason": entry["msg"]})
    details = InitErrorDetails(type=kind, loc=place_of(entry["loc"], entry["type"]), input=entry["input"])
    return InitErrorDetails(**details, ctx=context) if is_known else details
