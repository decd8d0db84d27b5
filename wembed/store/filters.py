"""What a person filters by in; the same as Lance takes it, or why it isn't understood, out."""

import re
from collections.abc import Sequence

from wembed.errors import UsageError
from wembed.store.place import first_sentence

_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`""")
_DAMAGE = "External error: "  # how Lance begins what isn't the filter's fault


def in_brackets(where: str, columns: Sequence[str]) -> str:
    """Gives a filter that others can be joined to; Lance passes over what follows one that it knows.

    Raises:
        UsageError: if its brackets don't match.
    """
    depth = 0
    for letter in _QUOTED.sub("", where):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
    if depth:
        raise UsageError(f"filter {where!r} is not understood: its brackets don't match", _columns(columns))
    return f"({where})"


def is_refusal(error: Exception) -> bool:
    """Whether what Lance says of a filtered read is that it doesn't understand the filter, not that it can't read."""
    return isinstance(error, ValueError) and not str(error).startswith(_DAMAGE)


def refused_filter(where: str, columns: Sequence[str], error: Exception) -> UsageError:
    """Gives the error that a filter isn't understood."""
    said = first_sentence(error).removeprefix("Invalid user input: ").split(" Valid fields are ")[0].rstrip(".")
    return UsageError(f"filter {where!r} is not understood: {said}", _columns(columns))


def _columns(columns: Sequence[str]) -> str:
    return f"columns are {', '.join(columns)}"
