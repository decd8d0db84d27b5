"""EmbeddingTable: the vectors of one encoder, keyed by weights and spec, in a Lance table.

A table is made by its first upsert; one that isn't there yet is empty. Every upsert is one commit, so that a killed
process leaves whole batches only.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wembed.errors import WembedError

KEY_COLUMNS = ["content", "spec", "encoder"]
BLOCK = 8192  # rows read at a time
MAX_FILTERED = 256  # keys that are looked up one by one; more are found by a scan
COMPACT_AFTER = 64  # fragments
KEEP_VERSIONS = timedelta(days=1)
_ENCODER, _MISSING, _EXISTS = b"wembed.encoder", "was not found", "already exists"

Vectors = NDArray[np.float32]


class Key(NamedTuple):
    """What a vector was computed from, beside the encoder.

    Args:
        content: hash of the weights.
        spec: hash of their symmetries.
    """

    content: str
    spec: str


class Block(NamedTuple):
    """Some rows of a table.

    Args:
        keys: N keys.
        vectors: [N, D] float32.
    """

    keys: list[Key]
    vectors: Vectors


class EmbeddingTable:
    """The embeddings that one encoder has made.

    Args:
        uri: the folder of all tables, or a URI that Lance knows, such as s3://bucket/prefix.
        encoder_id: hash of the encoder's config and weights.
        dimension: D, of its vectors.

    Raises:
        WembedError: if the table can't be read, or holds vectors of another encoder or dimension.
    """

    def __init__(self, uri: str, encoder_id: str, dimension: int) -> None:
        self.uri = f"{uri.rstrip('/')}/{encoder_id}.lance"
        self.encoder_id = encoder_id
        self.dimension = dimension
        self._dataset = self._open()

    def keys(self) -> set[Key]:
        """Gives all keys, without reading a vector."""
        if self._dataset is None:
            return set()
        table = self._dataset.to_table(columns=["content", "spec"])
        return {Key(*pair) for pair in zip(table["content"].to_pylist(), table["spec"].to_pylist(), strict=True)}

    def blocks(self, where: str | None = None) -> Iterator[Block]:
        """Gives all rows, or those that an SQL filter lets through, some thousands at a time, in no order."""
        if self._dataset is None:
            return
        columns = ["content", "spec", "vector"]
        for batch in self._dataset.to_batches(columns=columns, batch_size=BLOCK, filter=where):
            pairs = zip(batch["content"].to_pylist(), batch["spec"].to_pylist(), strict=True)
            vectors = batch["vector"].flatten().to_numpy().reshape(-1, self.dimension)  # [N, D]
            yield Block([Key(*pair) for pair in pairs], vectors)

    def fetch(self, keys: Sequence[Key]) -> dict[Key, Vectors]:
        """Gives the vectors [D] of those keys that are there."""
        wanted = set(keys)
        if not wanted:
            return {}
        contents = sorted({key.content for key in wanted})
        quoted = ", ".join("'" + content.replace("'", "''") + "'" for content in contents)
        where = f"content IN ({quoted})" if len(contents) <= MAX_FILTERED else None
        return {
            key: vector
            for block in self.blocks(where)
            for key, vector in zip(block.keys, block.vectors, strict=True)
            if key in wanted
        }

    def upsert(self, vectors: Mapping[Key, Vectors]) -> None:
        """Adds or replaces vectors [D], in one commit.

        Raises:
            WembedError: if they can't be written.
            ValueError: if a vector has another dimension.
        """
        if not vectors:
            return
        rows = self._rows(vectors)
        try:
            if self._dataset is None:
                self._dataset = self._create(rows)
            else:
                self._merge(rows)
        except (OSError, ValueError, RuntimeError) as error:
            raise WembedError(f"cannot write embeddings to {self.uri}: {_reason(error)}") from error

    def _rows(self, vectors: Mapping[Key, Vectors]) -> Any:  # a pyarrow table, which has no types
        import pyarrow as pa

        values = np.stack(list(vectors.values())).astype(np.float32)  # [N, D]
        if values.shape[1:] != (self.dimension,):
            raise ValueError(f"vectors are {values.shape[1:]}, the table's are ({self.dimension},)")
        text = [pa.field(name, pa.string(), nullable=False) for name in KEY_COLUMNS]
        vector = pa.field("vector", pa.list_(pa.float32(), self.dimension), nullable=False)
        columns = [
            pa.array([key.content for key in vectors]),
            pa.array([key.spec for key in vectors]),
            pa.array([self.encoder_id] * len(vectors)),
            pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), self.dimension),
        ]
        return pa.table(columns, schema=pa.schema([*text, vector], metadata={_ENCODER: self.encoder_id.encode()}))

    def _open(self) -> Any:  # a Lance dataset, which has no types; None if there is none
        if "://" not in self.uri and not os.path.lexists(self.uri):
            return None
        import lance

        try:
            dataset = lance.dataset(self.uri)
        except (OSError, ValueError) as error:
            if _MISSING in str(error):
                return None
            hint = "check --store, or delete the table: `wembed embed` makes it again"
            raise WembedError(f"cannot read embeddings from {self.uri}: {_reason(error)}", hint) from error
        self._check(dataset.schema)
        return dataset

    def _check(self, schema: Any) -> None:  # a pyarrow schema, which has no types
        held = (schema.metadata or {}).get(_ENCODER, b"unknown").decode()
        dimension = schema.field("vector").type.list_size if "vector" in schema.names else 0
        if (held, dimension) != (self.encoder_id, self.dimension):
            expected = f"encoder {self.encoder_id} with {self.dimension} dimensions"
            found = f"encoder {held} with {dimension}"
            raise WembedError(f"{self.uri} holds embeddings of {found}, expected {expected}", "give another --store")

    def _create(self, rows: Any) -> Any:  # Lance and pyarrow have no types
        """Makes the table; of several processes that want to, on one machine, one does and the others add to it."""
        import lance

        with self._alone():
            return self._create_alone(lance, rows)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A lock beside a table on disk: Lance lets two creations at once overwrite each other."""
        if "://" in self.uri:
            yield
            return
        from filelock import FileLock

        Path(self.uri).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.uri}.lock"):
            yield

    def _create_alone(self, lance: Any, rows: Any) -> Any:  # Lance and pyarrow have no types
        self._dataset = self._open()
        if self._dataset is not None:
            self._merge(rows)
            return self._dataset
        try:
            return lance.write_dataset(rows, self.uri, mode="create")
        except OSError as error:
            if _EXISTS not in str(error):
                raise
        self._dataset = self._open()  # another process was faster
        self._merge(rows)
        return self._dataset

    def _merge(self, rows: Any) -> None:  # a pyarrow table, which has no types
        merge = self._dataset.merge_insert(KEY_COLUMNS).when_matched_update_all().when_not_matched_insert_all()
        merge.conflict_retries(20).execute(rows)
        if len(self._dataset.get_fragments()) > COMPACT_AFTER:
            self._dataset.optimize.compact_files()
            self._dataset.cleanup_old_versions(older_than=KEEP_VERSIONS)


def _reason(error: Exception) -> str:
    """The first sentence of a Lance error, without the lines of its source code."""
    return str(error).split(", /")[0].splitlines()[0]
