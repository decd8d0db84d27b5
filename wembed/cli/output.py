"""Output: the one way that data leaves on stdout, as a table, JSON, CSV, TSV or ids; notes go to stderr.

A row is a mapping; which columns, and in which order, the command says.
"""

import csv
import json
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from wembed.cli.message import print_error, print_line
from wembed.cli.options import DEFAULT_ZOO, FormatName
from wembed.cli.progress import progress_bar
from wembed.cli.table import Cell, print_table
from wembed.cli.text import plain
from wembed.errors import UsageError, WembedError

Row = Mapping[str, object]

DECIMALS = 4
DECIMALS_OF = {"seconds": 3, "megabytes": 1, "percentile": 2}
HASHES = ("sha256", "content", "structure", "spec", "commit")
HASH_SHOWN = 12  # characters of a hash in a table for people


@dataclass(frozen=True)
class Output:
    """How a command speaks.

    Args:
        format: of the data.
        quiet: say nothing on stderr but warnings and errors.
    """

    format: FormatName
    quiet: bool

    @classmethod
    def choose(cls, format: FormatName, json: bool, quiet: bool) -> "Output":
        """Gives what the options ask for.

        Raises:
            UsageError: if --json and --format contradict each other.
        """
        if json and format not in ("auto", "json"):
            raise UsageError(f"--json and --format {format} contradict each other", "give one of them")
        if json or format != "auto":
            return cls("json" if json else format, quiet)
        if quiet:
            return cls("ids", quiet)
        return cls("table" if sys.stdout.isatty() else "tsv", quiet)

    @property
    def is_json(self) -> bool:
        """Whether a machine reads the output."""
        return self.format in ("json", "jsonl")

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Writes rows; each as it comes, where the format allows it."""
        ordered = ({column: _bare(row.get(column)) for column in columns} for row in rows)
        _WRITERS[self.format](ordered, columns)

    def failure(self, error: WembedError) -> None:
        """Says what could not be done, while the rest was."""
        print_error(error, self.is_json)

    def warn(self, text: str) -> None:
        """Says what was passed over."""
        print_line("warning", text)

    def note(self, text: str) -> None:
        """Says what a person may want to know."""
        if not self.quiet:
            print_line("note", text)

    def notices(self, path: Path | str, notices: Iterable[str]) -> None:
        """Says what was done to a file when it was read."""
        for notice in notices:
            self.note(f"{path}: {notice}")

    def next_command(self, *words: object, zoo: Path | None = None) -> None:
        """Says what to do next, where a person is there to do it; with --zoo where that isn't the default."""
        options = ["--zoo", str(zoo)] if zoo not in (None, DEFAULT_ZOO) else []
        last = str(words[-1])
        ends = [*options, "--", last] if last.startswith("-") else [last, *options]  # a name, never an option
        line = ["wembed", *map(str, words[:-1]), *ends]
        if not self.quiet and not self.is_json:
            print_line("next", " ".join(word if word.isupper() else shlex.quote(word) for word in line))

    def progress(self, title: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Gives a callback that shows progress, where a person can see it."""
        return progress_bar(title, self.quiet)


def _bare(value: object) -> object:
    """A value that every format can write: JSON has no paths, and no number that isn't finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return plain(json.dumps(value))
    if isinstance(value, (list, tuple)):
        return ",".join(plain(str(item)) for item in value)
    if isinstance(value, dict):
        return plain(json.dumps(value, sort_keys=True)) if value else ""
    return plain(str(value))


def _shown(column: str, value: object) -> str:
    """A cell as a person reads it."""
    if isinstance(value, float):
        return f"{value:.{DECIMALS_OF.get(column, DECIMALS)}f}"
    if column == "path":
        return _cell(_from_here(str(value)))
    return _cell(value)[:HASH_SHOWN] if column in HASHES else _cell(value)


def _from_here(path: str) -> str:
    """A path as short as it gets: relative to the working folder where it is inside."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _json(rows: Iterable[Row], columns: Sequence[str]) -> None:
    sys.stdout.write(json.dumps(list(rows), indent=2) + "\n")


def _jsonl(rows: Iterable[Row], columns: Sequence[str]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row.values()] for row in rows)


def _tsv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    sys.stdout.write("\t".join(columns) + "\n")
    sys.stdout.writelines("\t".join(_cell(value) for value in row.values()) + "\n" for row in rows)


def _ids(rows: Iterable[Row], columns: Sequence[str]) -> None:
    name = "id" if "id" in columns else columns[0]
    sys.stdout.writelines(_cell(row[name]) + "\n" for row in rows if row[name] is not None)


def _table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    shown = [{column: Cell(value, _shown(column, value)) for column, value in row.items()} for row in rows]
    print_table(shown, columns)


_WRITERS: Mapping[str, Callable[[Iterable[Row], Sequence[str]], None]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "ids": _ids,
}
