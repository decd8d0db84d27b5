"""Lines for people, on stderr: errors, warnings, notes, and the next useful command."""

import json
import sys

from wembed.cli.text import plain
from wembed.errors import WembedError


def print_error(error: WembedError, as_json: bool) -> None:
    """Says what failed and what to try: two lines, or one JSON object."""
    if as_json:
        _print(json.dumps({"error": error.message, "hint": error.hint, "exit": error.exit_code}))
        return
    print_line("error", error.message)
    if error.hint:
        print_line("hint", error.hint)


def print_interrupted(as_json: bool) -> None:
    """Says that a person ended it."""
    _print(json.dumps({"error": "interrupted", "hint": "", "exit": 130}) if as_json else "interrupted")


def print_line(kind: str, text: str) -> None:
    """Says one thing, on one line."""
    _print(f"{kind}: {plain(text)}")


def _print(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - this is where the program speaks
