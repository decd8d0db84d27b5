"""Text of any origin in; out the same as part of an HTML file, where it can be nothing but text."""

import html
import json
import math
from typing import Any

NONE = "\u2013"  # a dash where there is no number
_MINUS = "\u2212"
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def escaped(text: object) -> str:
    """Text of an element or of a quoted attribute."""
    return html.escape(str(text), quote=True)


def script_json(value: Any) -> str:  # whatever JSON can hold
    """JSON in ASCII that can stand in a script element: nothing in it ends the element or starts a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character, code in _UNSAFE.items():
        text = text.replace(character, code)
    return text


def brief(value: float) -> str:
    """A number in as few digits as it has, four at most."""
    return f"{value:.4g}".replace("-", _MINUS)


def rounded(value: float | None, digits: int) -> float | None:
    """A number with as many significant digits; None for what is none, is infinite or isn't known."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def shown(value: float | None, decimals: int = 3) -> str:
    """A number for people, with a minus sign that is one."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:.{decimals}f}"
    return text.replace("-", _MINUS) if float(text) else text.lstrip("-")
