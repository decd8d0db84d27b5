"""A CSV file with what people know about their checkpoints in; values for the catalog's columns out.

One column says which checkpoint a line is about: `path`, `file` (its name) or `id`. The others are columns of the
catalog, or `hyperparameters.NAME`.
"""

import csv
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wembed.catalog.rows import DESCRIPTIVE_COLUMNS
from wembed.catalog.zoo import absolute
from wembed.errors import NotFoundError, UsageError

KEYS = ("path", "file", "id")
HYPERPARAMETER = "hyperparameters."
SYNONYMS = {"license": "licence", "test_accuracy": "accuracy"}
_INTEGERS = ("step", "seed")
_SHARES = ("train_accuracy", "validation_accuracy", "accuracy")
_FLOATS = ("change", "train_loss", "validation_loss", "loss", "gap")


@dataclass
class GivenMetadata:
    """What a CSV file says, by checkpoint; remembers which of its lines were asked for.

    Args:
        key: which column says what a line is about.
        values: the other columns, by the key's value; a path is absolute.
    """

    key: str
    values: dict[str, dict[str, object]]
    _used: set[str] = field(default_factory=set)

    def values_for(self, path: Path, row_id: str) -> dict[str, object]:
        """Gives the columns given for a checkpoint; {} if there are none."""
        name = {"path": str(absolute(path)), "file": path.name, "id": row_id}[self.key]
        self._used.add(name)
        return self.values.get(name, {})

    def unmatched(self) -> list[str]:
        """Lists the lines that were about no checkpoint asked for."""
        return [name for name in self.values if name not in self._used]


def load_metadata(path: Path) -> GivenMetadata:
    """Reads a CSV file with a header.

    Raises:
        NotFoundError: if there is no such file.
        UsageError: if a column isn't known, or a value doesn't fit its column, naming the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, csv.DictReader(file, strict=True))
    except FileNotFoundError as error:
        raise NotFoundError(f"no metadata file at {path}") from error
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UsageError(f"{path} is no CSV file: {error}") from error


def parse_value(column: str, text: str) -> object:
    """Gives a column's value from its text.

    Raises:
        ValueError: saying what was expected.
    """
    if column in _INTEGERS:
        return _integer(text)
    if column in _SHARES:
        value = _number(text)
        if not 0 <= value <= 1:
            raise ValueError("a share from 0 to 1")
        return value
    return _number(text) if column in _FLOATS else text


def _parse(path: Path, reader: "csv.DictReader[str]") -> GivenMetadata:
    columns = [name.strip() for name in reader.fieldnames or ()]
    key = next((name for name in KEYS if name in columns), None)
    if key is None:
        raise UsageError(f"{path} has none of the columns {', '.join(KEYS)}", "one of them says what a line is about")
    for column in columns:
        if column != key:
            _check_column(path, column, columns)
    reader.fieldnames = columns
    values: dict[str, dict[str, object]] = {}
    for name, row in _named(path, key, reader):
        if name in values:
            raise UsageError(f"{path} line {reader.line_num}: a second line about {name}")
        values[name] = _row_values(path, reader.line_num, key, row)
    return GivenMetadata(key, values)


def _check_column(path: Path, column: str, columns: list[str]) -> None:
    known = SYNONYMS.get(column, column)
    if columns.count(column) > 1 or (known != column and known in columns):
        raise UsageError(f"{path} gives the column {column} twice")
    if known in DESCRIPTIVE_COLUMNS or (column.startswith(HYPERPARAMETER) and column != HYPERPARAMETER):
        return
    close = difflib.get_close_matches(column, [*DESCRIPTIVE_COLUMNS, *SYNONYMS], n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(DESCRIPTIVE_COLUMNS)}, {HYPERPARAMETER}NAME"
    raise UsageError(f"{path}: column {column!r} cannot be given", hint)


def _named(path: Path, key: str, rows: Iterable[dict[str, str]]) -> Iterator[tuple[str, dict[str, str]]]:
    """The lines, each with what it is about; a relative path is looked for beside the CSV file, then from here."""
    for row in rows:
        name = (row[key] or "").strip()
        if key == "path":
            beside, here = path.parent / name, Path(name)
            name = str(absolute(here if here.exists() and not beside.exists() else beside))
        yield name, row


def _row_values(path: Path, line: int, key: str, row: Mapping[str, str | None]) -> dict[str, object]:
    if None in row or None in row.values():
        raise UsageError(f"{path} line {line}: as many values as columns are expected")
    values: dict[str, object] = {}
    hyperparameters: dict[str, object] = {}
    for column, text in row.items():
        if column == key or not text:
            continue
        try:
            if column.startswith(HYPERPARAMETER):
                hyperparameters[column.removeprefix(HYPERPARAMETER)] = _number_or_text(text)
            else:
                name = SYNONYMS.get(column, column)
                values[name] = parse_value(name, text)
        except ValueError as error:
            raise UsageError(f"{path} line {line}: {column} is {text!r}, expected {error}") from error
    return values | ({"hyperparameters": hyperparameters} if hyperparameters else {})


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError("a whole number") from error


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError("a number") from error
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _number_or_text(text: str) -> object:
    for parse in (_integer, _number):
        try:
            return parse(text)
        except ValueError:
            continue
    return text
