"""A CSV, TSV or parquet file in; numeric columns with labels out, missing values still missing."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wembed.errors import CheckpointRefusedError, UsageError
from wembed.models.data.rules import numbered
from wembed.models.data.split import Examples

if TYPE_CHECKING:
    import pandas as pd

_MOST_BYTES = 2**30  # of the file
_MOST_WORDS = 32  # in a column of texts; each becomes a column
_MOST_COLUMNS = 10_000
_MOST_CELLS = 2**28
_INDEX = "__index_level_"  # how pandas names the columns of an index without name
_LARGEST = float(np.finfo(np.float32).max)


def read_table(path: Path, target: str | None) -> Examples:
    """Reads a table; numbers stay as they are, each word of a column of texts becomes a column of 0 and 1.

    Args:
        path: ends in .csv, .tsv or .parquet; the first row of text files names the columns.
        target: the column of the labels; the last one if it isn't said.

    Raises:
        CheckpointRefusedError: the file is broken, too large, or no classification task.
        UsageError: there is no such column.
    """
    frame = _load(path)
    columns = [str(name) for name in frame.columns]
    if len(columns) < 2:
        raise CheckpointRefusedError(f"{path}: {len(columns)} columns, expected inputs and then the label")
    if len(set(columns)) < len(columns):
        raise CheckpointRefusedError(f"{path}: two columns have one name")
    target = target or columns[-1]
    if target not in columns:
        raise UsageError(f"{path}: no column {target!r}", f"its columns are {', '.join(columns)}")
    frame.columns = columns
    where = f"{path}: column {target!r}"
    missing = int(frame[target].isna().sum())
    if missing:
        raise CheckpointRefusedError(f"{where}: {missing:,} of {len(frame):,} rows have no label")
    numbers = numbered(_labels(frame[target]), where)
    found = [_numeric(path, frame[name]) for name in columns if name != target]
    inputs = np.concatenate(found, axis=1)
    if not 1 <= inputs.shape[1] <= _MOST_COLUMNS:
        raise CheckpointRefusedError(f"{path}: {inputs.shape[1]:,} columns of inputs, expected 1 to {_MOST_COLUMNS:,}")
    return Examples("table", inputs.shape[1:], inputs, numbers)


def _load(path: Path) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    if path.stat().st_size > _MOST_BYTES:
        raise CheckpointRefusedError(f"{path}: {path.stat().st_size:,} bytes, at most {_MOST_BYTES:,} are read")
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return _load_parquet(path)
        return pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", low_memory=False)
    except (ValueError, OSError, pa.ArrowException) as error:  # pandas' own errors are ValueErrors
        reason = " ".join(str(error).split())
        raise CheckpointRefusedError(f"{path}: can't be read as a table: {reason}") from error


def _load_parquet(path: Path) -> "pd.DataFrame":
    """Reads the columns; what pandas noted about them, and the numbers of the rows, are left aside."""
    from pyarrow import parquet

    found = parquet.read_metadata(path)
    if found.num_rows * found.num_columns > _MOST_CELLS:
        raise CheckpointRefusedError(f"{path}: {found.num_rows:,} rows, at most {_MOST_CELLS:,} cells are read")
    table = parquet.read_table(path)
    table.validate(full=True)
    table = table.drop_columns([name for name in set(table.column_names) if name.startswith(_INDEX)])
    return table.to_pandas(ignore_metadata=True)


def _labels(column: "pd.Series") -> NDArray[np.generic]:
    """Numbers as numbers, all else as text, so that it can be sorted."""
    if not _is_number(column):
        return np.asarray(column.astype(str).to_numpy(dtype=object))
    return np.asarray(column.to_numpy(dtype=getattr(column.dtype, "numpy_dtype", None)))  # of pandas' nullable types


def _numeric(path: Path, column: "pd.Series") -> NDArray[np.float64]:
    """A column as [N, 1], or one of texts as [N, words]; NaN where a number is missing, 0 where a text is."""
    where = f"{path}: column {column.name!r}"
    if _is_number(column):
        values: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        large = int((np.abs(values) > _LARGEST).sum())
        if large:
            raise CheckpointRefusedError(f"{where}: {large:,} values are infinite or above {_LARGEST:.1e}")
        return values[:, None]
    texts, there = column.astype(str).to_numpy(dtype=object), column.notna().to_numpy()
    words = np.array(sorted(set(texts[there])), object)
    if len(words) > _MOST_WORDS:
        raise CheckpointRefusedError(
            f"{where}: {len(words):,} different texts, at most {_MOST_WORDS} are possible", "leave the column out"
        )
    return np.asarray((texts[:, None] == words) & there[:, None], np.float64)


def _is_number(column: "pd.Series") -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_complex_dtype(column)
