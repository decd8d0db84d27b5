"""What a table of embeddings holds: the columns of a row, and rows and vectors as Arrow has them.

A row is one checkpoint of a zoo: what its vector was computed from, and what the catalog says that one may filter on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | None
Listed = Value | list[str]  # what a column may hold, those of tensors included
Vectors = NDArray[np.float32]

KEY_COLUMNS = ("content", "spec", "encoder", "id")
ENCODER = b"wembed.encoder"  # in the metadata of a table's schema
_PRIMARY = {b"lance-schema:unenforced-primary-key": b"true"}  # without it two inserts of one key at once are two rows
_KINDS: dict[type, tuple[str, ...]] = {
    str: (
        "path", "source", "licence", "architecture", "structure", "tier", "task", "dataset", "run", "parent",
        "derivation", "split", "tags",
    ),
    int: ("params", "bytes", "step", "seed", "downloads"),
    float: ("accuracy", "validation_accuracy", "loss", "gap"),
}  # fmt: skip
CATALOG_COLUMNS: dict[str, type] = {name: kind for kind, names in _KINDS.items() for name in names}
PLAIN_COLUMNS = (*KEY_COLUMNS, *CATALOG_COLUMNS)  # all but the vector and the tensors
TENSOR_COLUMNS = ("tensors", "hashes")  # names and hashes of the tensors, in one order
_LARGEST = 2**63 - 1  # that a column of whole numbers can hold


class Key(NamedTuple):
    """What a vector was computed from, beside the encoder.

    Args:
        content: hash of the weights.
        spec: hash of their symmetries.
    """

    content: str
    spec: str


@dataclass(frozen=True)
class Row:
    """A checkpoint whose embedding is in a table.

    Args:
        id: in the zoo; empty for a file that is in none.
        key: what its vector was computed from.
        columns: what the catalog says of it, by names of CATALOG_COLUMNS; what isn't known may be left out.
        tensors: name -> hash of the tensors that tell networks apart; None where that isn't known.
    """

    id: str
    key: Key
    columns: Mapping[str, Value] = field(default_factory=dict, hash=False)
    tensors: Mapping[str, str] | None = field(default=None, hash=False)

    def values(self) -> tuple[Value, ...]:
        """The columns as a table can hold them, in the order of CATALOG_COLUMNS."""
        return tuple(_holdable(self.columns.get(name)) for name in CATALOG_COLUMNS)


def arrow_schema(encoder_id: str, dimension: int) -> Any:  # a pyarrow schema, which has no types
    """Gives the schema of a table of vectors [D]."""
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    keys = [pa.field(name, pa.string(), nullable=False, metadata=_PRIMARY) for name in KEY_COLUMNS]
    columns = [pa.field(name, kinds[kind]) for name, kind in CATALOG_COLUMNS.items()]
    tensors = [pa.field(name, pa.list_(pa.string())) for name in TENSOR_COLUMNS]
    vector = pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)
    return pa.schema([*keys, *columns, *tensors, vector], metadata={ENCODER: encoder_id.encode()})


def arrow_rows(vectors: Mapping[Row, Vectors], schema: Any) -> Any:  # pyarrow has no types
    """Gives rows and their vectors [D] as an Arrow table.

    Raises:
        ValueError: if a vector has another dimension than the schema.
    """
    import pyarrow as pa

    dimension = schema.field("vector").type.list_size
    values = np.stack(list(vectors.values())).astype(np.float32)  # [N, D]
    if values.shape[1:] != (dimension,):
        raise ValueError(f"vectors are {values.shape[1:]}, the table's are ({dimension},)")
    column = pa.FixedSizeListArray.from_arrays(_owned(values), dimension)
    rows = plain_rows(vectors, schema)
    for name, listed in zip(TENSOR_COLUMNS, zip(*map(_listed, vectors), strict=True), strict=True):
        rows = rows.append_column(schema.field(name), pa.array(listed, schema.field(name).type))
    return rows.append_column(schema.field("vector"), column)


def _owned(values: Vectors) -> Any:  # a pyarrow array, which has no types
    """All values in memory of Arrow's own: one that is NumPy's can't be freed by a thread that outlives Python."""
    import pyarrow as pa

    buffer = pa.allocate_buffer(values.nbytes)
    np.frombuffer(buffer, values.dtype)[:] = values.ravel()
    return pa.Array.from_buffers(pa.float32(), values.size, [None, buffer])


def plain_rows(rows: Iterable[Row], schema: Any) -> Any:  # pyarrow has no types
    """Gives rows as an Arrow table without vectors."""
    import pyarrow as pa

    encoder = schema.metadata[ENCODER].decode()
    listed = [(*map(spelt, row.key), encoder, spelt(row.id), *row.values()) for row in rows]
    columns: Sequence[Sequence[Value]] = list(zip(*listed, strict=True)) or [()] * len(PLAIN_COLUMNS)
    fields = [schema.field(name) for name in PLAIN_COLUMNS]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.table(arrays, schema=pa.schema(fields, metadata=schema.metadata))


def spelt(text: str) -> str:
    """Gives text as a table holds it: bytes of a file's name that are no text are spelt."""
    return text.encode("utf-8", "backslashreplace").decode()


def _listed(row: Row) -> tuple[list[str] | None, list[str] | None]:
    """The tensors of a row, as the two columns hold them."""
    if row.tensors is None:
        return None, None
    return [*map(spelt, row.tensors)], [*row.tensors.values()]


def _holdable(value: Value) -> Value:
    """A value, but for numbers that are too large for a column, which are left out."""
    if isinstance(value, str):
        return spelt(value)
    return None if isinstance(value, int) and abs(value) > _LARGEST else value
