"""Rows of a catalog in; a table with all of their columns, in the bytes of a common format, out."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from wembed.catalog import COLUMNS, CatalogRow, Zoo
from wembed.catalog.metadata import HYPERPARAMETER
from wembed.zoo.export import written_whole

Row = Mapping[str, Any]  # Any: each of its column's own type

_NESTED = "hyperparameters"
_ENDINGS = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".json": "json", ".jsonl": "jsonl"}


def format_of(path: Path) -> str | None:
    """The format that a path's ending stands for, if it is one."""
    return _ENDINGS.get(path.suffix.lower())


def export_rows(zoo: Zoo, format: str) -> bytes:
    """A zoo's catalog as a table, with paths that can be opened from here.

    Args:
        zoo: whose rows.
        format: csv, tsv or parquet, where every hyperparameter is a column `hyperparameters.NAME`; json or jsonl, where
            they stay one object.
    """
    rows = [row.as_dict() | {"path": str(zoo.path_of(row))} for row in zoo.rows()]
    return _WRITERS[format](rows)


def save_rows(zoo: Zoo, format: str, path: Path) -> None:
    """Writes a zoo's catalog to a file, whole or not at all; see `export_rows`.

    Raises:
        WembedError: if it can't be written.
    """
    contents = export_rows(zoo, format)
    with written_whole(path) as partial:
        partial.write_bytes(contents)


def _flat(rows: Sequence[Row]) -> list[Row]:
    """The same with every hyperparameter in a column of its own, empty where a row has none of that name."""
    names = sorted({name for row in rows for name in row[_NESTED]})
    return [
        {name: row[name] for name in _PLAIN} | {f"{HYPERPARAMETER}{name}": row[_NESTED].get(name) for name in names}
        for row in rows
    ]


def _as_json(rows: Sequence[Row]) -> bytes:
    return (json.dumps(rows, indent=2) + "\n").encode()


def _as_jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _as_csv(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    flat, text = _flat(rows), io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(flat[0] if flat else _PLAIN)
    writer.writerows([_cell(value) for value in row.values()] for row in flat)
    return text.getvalue().encode()


def _as_tsv(rows: Sequence[Row]) -> bytes:
    return _as_csv(rows, "\t")


def _as_parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    flat = _flat(rows)
    columns = {name: _column([row[name] for row in flat], _TYPES.get(name)) for name in (flat[0] if flat else _PLAIN)}
    target = pa.BufferOutputStream()
    pa.parquet.write_table(pa.table(columns), target)
    return bytes(target.getvalue())


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value) if value not in ([], {}) else ""


def _column(values: Sequence[Any], kind: str | None) -> Any:  # an array of pyarrow, which has no types
    """A column of a known type, of numbers, or else of text."""
    import pyarrow as pa

    if kind:
        return pa.array([_cell(value) if isinstance(value, list | dict) else value for value in values], kind)
    try:
        return pa.array(values, pa.float64() if any(isinstance(value, float) for value in values) else None)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else _cell(value) for value in values], pa.string())


def _parquet_types() -> dict[str, str]:
    """The type of every plain column, in pyarrow's words."""
    words = {str: "string", int: "int64", float: "float64"}
    hints = get_type_hints(CatalogRow)
    return {
        name: next(words[kind] for kind in (get_args(hints[name]) or (hints[name],)) if kind in words)
        for name in _PLAIN
    }


_PLAIN = tuple(name for name in COLUMNS if name != _NESTED)
_TYPES = _parquet_types()
_WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "csv": _as_csv,
    "tsv": _as_tsv,
    "parquet": _as_parquet,
    "json": _as_json,
    "jsonl": _as_jsonl,
}
