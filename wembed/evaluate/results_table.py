"""Results in; the bytes of a .parquet file with a column per field out."""

import dataclasses
from collections.abc import Sequence

from wembed.evaluate.results import Result

_TYPES = {
    "task": "string", "encoder": "string", "metric": "string", "value": "float64", "n": "int64", "split": "string",
    "error": "float64", "seed": "int64", "encoder_id": "string", "data": "string", "low": "float64", "high": "float64",
    "seeds": "int64", "spread": "float64", "target": "string",
}  # fmt: skip
COLUMNS = tuple(field.name for field in dataclasses.fields(Result))


def to_parquet(results: Sequence[Result]) -> bytes:
    """A row per result; null where a value does not apply."""
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table({name: pa.array([getattr(row, name) for row in results], _TYPES[name]) for name in COLUMNS})
    target = pa.BufferOutputStream()
    pa.parquet.write_table(table, target)
    return bytes(target.getvalue())
