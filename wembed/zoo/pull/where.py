"""Facts and an SQL expression on them in; which of them it holds for out.

SQLite evaluates it, in memory, on a table of these facts that can only be read, and for a few seconds at most.
"""

import difflib
import json
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from wembed.errors import UsageError

_TABLE = "facts"
_LONGEST = 10.0  # seconds
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_LONGEST_REASON = 200  # characters
_LARGEST_VALUE = 1_000_000  # bytes
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
_LARGEST_INTEGER = 2**63 - 1
_WORDS_OF_SQL = frozenset({"commit", "group", "index", "limit", "order", "table"})  # columns only between quotes


def matching(rows: Sequence[Mapping[str, object]], where: str) -> list[bool]:
    """Says for each row whether an expression holds; where it is NULL it doesn't.

    Args:
        rows: values by column, the same columns in each; lists are text, joined by ", ".
        where: an SQL expression on the columns.

    Raises:
        UsageError: if it is none, names another column, does more than read, or doesn't end.
    """
    if not rows:
        return []
    columns = list(rows[0])
    with closing(sqlite3.connect(":memory:")) as connection:
        _fill(connection, columns, rows)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        connection.set_authorizer(_authorise)
        end = time.monotonic() + _LONGEST
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            # On a line of its own, so that a comment at its end stays one.
            found = connection.execute(f"SELECT rowid FROM {_TABLE} WHERE (\n{where}\n)")
            holds = {number for (number,) in found}
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise _refusal(where, columns, error) from error
    return [number in holds for number in range(1, len(rows) + 1)]


def _fill(connection: sqlite3.Connection, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    quoted = ", ".join(f'"{column}"' for column in columns)
    connection.execute(f"CREATE TABLE {_TABLE} ({quoted})")
    places = ", ".join("?" * len(columns))
    values = ([_as_sql(row[column]) for column in columns] for row in rows)
    connection.executemany(f"INSERT INTO {_TABLE} VALUES ({places})", values)


def _as_sql(value: object) -> str | int | float | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _LARGEST_INTEGER else float(value)
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()


def _authorise(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    is_extension = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    is_elsewhere = action == sqlite3.SQLITE_READ and first != _TABLE
    return sqlite3.SQLITE_OK if action in _ALLOWED and not is_extension and not is_elsewhere else sqlite3.SQLITE_DENY


def _refusal(where: str, columns: Sequence[str], error: Exception) -> UsageError:
    reason = "".join(letter if letter.isprintable() else "?" for letter in str(error))[:_LONGEST_REASON]
    quoted = [f'"{column}"' if column in _WORDS_OF_SQL else column for column in columns]
    known = f"known are {', '.join(quoted)}"
    unknown = re.fullmatch(r"no such column: (.+)", reason)
    if unknown:
        close = difflib.get_close_matches(unknown[1], columns, n=1)
        return UsageError(
            f"--where {where!r}: no column {unknown[1]!r}", f"did you mean {close[0]}? {known}" if close else known
        )
    if reason == "interrupted":
        return UsageError(f"--where {where!r}: takes longer than {_LONGEST:.0f} seconds")
    if "not authorized" in reason or "prohibited" in reason:
        return UsageError(f"--where {where!r}: may do nothing but compare columns", known)
    return UsageError(f"--where {where!r}: not an SQL expression: {reason}", known)
