"""Rows in; a table for people on the terminal out, with a colour where a value calls for one."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

RELATED, ALIKE = 99.5, 95.0  # percentiles: so few of random pairs are more alike
VERDICTS = {"same": "bold green", "derived": "green", "unrelated": "dim"}


class Cell(NamedTuple):
    """A value, and how a person reads it."""

    value: object
    text: str


def print_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> None:
    """Prints rows, numbers to the right; without colours where NO_COLOR says so or no terminal is there."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        kinds = {type(row[column].value) for row in rows if row[column].value is not None}
        is_number = bool(kinds) and kinds <= {int, float}
        table.add_column(Text(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell.text, style=_style(column, cell.value)) for column, cell in row.items()))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _style(column: str, value: object) -> str:
    return _STYLES[column](value) if column in _STYLES else ""


def _of_percentile(value: object) -> str:
    if not isinstance(value, float):
        return ""
    return "green" if value >= RELATED else "yellow" if value >= ALIKE else "dim"


def _of_verdict(value: object) -> str:
    return VERDICTS.get(str(value), "")


def _of_identity(value: object) -> str:
    return "green" if value is True else ""


_STYLES: Mapping[str, Callable[[object], str]] = {
    "identical": _of_identity,
    "percentile": _of_percentile,
    "verdict": _of_verdict,
}
