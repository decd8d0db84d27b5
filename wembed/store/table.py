"""EmbeddingTable: the embeddings that one encoder made of a zoo's checkpoints, in a Lance table.

A table is made by its first upsert; one that isn't there yet is empty. Every upsert is one commit, so that a killed
process leaves whole batches only, and any number of processes may write at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from wembed.errors import WembedError
from wembed.store.block import Block, block_of, vectors_of
from wembed.store.changes import find_changes
from wembed.store.create import create
from wembed.store.filters import in_brackets, is_refusal, refused_filter
from wembed.store.index import Index, find_index, nearest, renew_index
from wembed.store.older import is_older, renew
from wembed.store.place import NoTableError, check_place, open_dataset, unreadable, unwritable
from wembed.store.schema import (
    CATALOG_COLUMNS,
    ENCODER,
    KEY_COLUMNS,
    PLAIN_COLUMNS,
    TENSOR_COLUMNS,
    Key,
    Listed,
    Row,
    Vectors,
    arrow_rows,
    arrow_schema,
    plain_rows,
    spelt,
)
from wembed.store.tidy import tidy

BLOCK = 4096  # rows read at a time
_READ_AHEAD = {"io_buffer_size": 32 << 20, "fragment_readahead": 1}  # bytes; memory stays flat however large the table
MAX_FILTERED = 256  # names that are looked up by a filter; more are found by a scan
RETRIES = 100  # of a commit that another process was ahead of
PATIENCE = timedelta(minutes=10)  # with all of them, where many processes write at once
_ERRORS = (OSError, ValueError, RuntimeError)


class EmbeddingTable:
    """The embeddings that one encoder has made.

    What is read is the table as it was when it was opened or last written by this object.

    Args:
        uri: the folder of all tables, or a URI that Lance knows, such as s3://bucket/prefix.
        encoder_id: hash of the encoder's config and weights.
        dimension: D, of its vectors.

    Raises:
        UsageError: if there can be no table at such a URI.
        WembedError: if the table can't be read, or holds vectors of another encoder or dimension.
    """

    def __init__(self, uri: str, encoder_id: str, dimension: int) -> None:
        check_place(uri)
        self.uri = f"{uri.rstrip('/')}/{encoder_id}.lance"
        self.encoder_id = encoder_id
        self.dimension = dimension
        self._schema: Any = None  # made when it is needed: pyarrow is slow to load
        self._dataset = self._open()

    def refresh(self) -> None:
        """Turns to the newest version, which other processes may have written.

        Raises:
            WembedError: as when it was opened.
        """
        self._dataset = self._open()

    @property
    def dataset(self) -> Any:  # a Lance dataset, which has no types
        """What Lance has of it; None if there is no table yet."""
        return self._dataset

    def note(self, name: str) -> str | None:
        """What `set_notes` was given last under a name; None if nothing was."""
        return self._dataset.config().get(name) if self._dataset is not None else None

    def count(self, where: str | None = None) -> int:
        """Gives the number of rows, or of those that an SQL filter lets through.

        Raises:
            UsageError: if the filter isn't understood.
        """
        return sum(batch.num_rows for batch in self._scan(["id"], where)) if where else self._count()

    def keys(self) -> set[Key]:
        """Gives what there are vectors of, without reading one."""
        return {Key(*pair) for batch in self._scan(["content", "spec"], None) for pair in _tuples(batch)}

    def held(self) -> list[Row]:
        """Gives all rows, without reading a vector."""
        columns = ["id", "content", "spec", *CATALOG_COLUMNS]
        return [
            Row(str(id), Key(str(content), str(spec)), dict(zip(CATALOG_COLUMNS, values, strict=True)))
            for batch in self._scan(columns, None)
            for id, content, spec, *values in _tuples(batch)
        ]

    def blocks(self, where: str | None = None) -> Iterator[Block]:
        """Gives all rows, or those that an SQL filter lets through, some thousands at a time, in no order.

        Raises:
            UsageError: if the filter isn't understood.
        """
        for batch in self._scan(["vector", "_rowoffset"], where):
            yield block_of(self._dataset, batch)

    def rows(self, where: str | None = None, columns: Sequence[str] = PLAIN_COLUMNS) -> list[dict[str, Listed]]:
        """Gives columns of all rows, or of those that an SQL filter lets through, without reading a vector.

        Raises:
            UsageError: if the filter isn't understood.
        """
        return [row for batch in self._scan(list(columns), where) for row in batch.to_pylist()]

    def find(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Gives the vectors [D] of those checkpoints that are there."""
        wanted = {spelt(id): id for id in ids}
        found: dict[str, Vectors] = {}
        for batch in self._scan(["id", "vector"], _among("id", wanted)) if wanted else ():
            pairs = zip(batch["id"].to_pylist(), vectors_of(batch), strict=True)
            found |= {wanted[id]: vector.copy() for id, vector in pairs if id in wanted}
        return found

    def fetch(self, keys: Sequence[Key]) -> dict[Key, Vectors]:
        """Gives the vectors [D] of those keys that are there."""
        wanted = set(keys)
        found: dict[Key, Vectors] = {}
        where = _among("content", {key.content for key in wanted})
        for batch in self._scan(["content", "spec", "vector"], where) if wanted else ():
            pairs = zip(_tuples(batch.select(["content", "spec"])), vectors_of(batch), strict=True)
            found |= {Key(*pair): vector.copy() for pair, vector in pairs if Key(*pair) in wanted}
        return found

    def tensors(self, contents: Collection[str]) -> dict[str, dict[str, str]]:
        """Gives the hashes of the tensors, by name, of those contents of checkpoints that there are some of."""
        found: dict[str, dict[str, str]] = {}
        where = _among("content", set(contents))
        for batch in self._scan(["content", *TENSOR_COLUMNS], where) if contents else ():
            for content, names, hashes in _tuples(batch):
                if content in contents and names is not None:
                    found[content] = dict(zip(names, hashes, strict=True))
        return found

    @property
    def index(self) -> Index | None:
        """Its index; None if there is none."""
        return find_index(self._dataset) if self._dataset is not None else None

    def build_index(self) -> Index | None:
        """Makes the index, or brings it up to date; None where the table is so small that it needs none.

        Raises:
            UnwritableError: if it can't be written.
        """
        try:
            return renew_index(self._dataset) if self._dataset is not None else None
        except _ERRORS as error:
            raise unwritable(self.uri, error) from error

    def nearest(self, query: Vectors, k: int, where: str | None = None, probes: int | None = None) -> Block | None:
        """Gives about the k rows nearest to a query [D] by the index, nearest first; None if there is no index.

        Args:
            query: what to look for.
            k: how many.
            where: an SQL filter; with one all partitions are probed, since what it lets through may be in any.
            probes: partitions to look into; None for as many as gave the recall of .99.

        Raises:
            UsageError: if the filter isn't understood.
        """
        index = self.index
        if index is None:
            return None
        whole = in_brackets(where, PLAIN_COLUMNS) if where else None
        enough = index.partitions if where else probes or index.probes
        try:
            return nearest(self._dataset, query, k, whole, enough)
        except _ERRORS as error:
            raise self._unread(where, error) from error

    def upsert(self, vectors: Mapping[Row, Vectors]) -> None:
        """Adds or replaces rows and their vectors [D], in one commit.

        Raises:
            UnwritableError: if they can't be written.
            ValueError: if a vector has another dimension.
        """
        if not vectors:
            return
        rows = arrow_rows(vectors, self._own_schema())
        try:
            if self._dataset is None:
                self._dataset = create(self.uri, self._own_schema())
            self._merge().when_matched_update_all().when_not_matched_insert_all().execute(rows)
            tidy(self._dataset)
        except _ERRORS as error:
            raise unwritable(self.uri, error) from error

    def synchronise(self, held: Sequence[Row], rows: Sequence[Row]) -> None:
        """Brings the table in line with a catalog, as far as it has the vectors.

        A row whose checkpoint has another id or other columns is changed, one whose checkpoint has left is deleted.

        Args:
            held: what `held` gave before the catalog was read, since what others add meanwhile must stay.
            rows: of the catalog.

        Raises:
            UnwritableError: if it can't be written.
        """
        changes = find_changes(held, rows)
        for copies in _parts(changes.copies):
            vectors = self.fetch([row.key for row in copies])
            tensors = self.tensors({row.key.content for row in copies})
            there = [replace(row, tensors=tensors.get(row.key.content)) for row in copies if row.key in vectors]
            self.upsert({row: vectors[row.key] for row in there})
        try:
            if changes.renewed:
                renewed = plain_rows(changes.renewed, self._own_schema())
                self._merge().when_matched_update_all().execute(renewed)
            if changes.left:
                left = plain_rows(changes.left, self._own_schema()).select(list(KEY_COLUMNS))
                self._merge().when_matched_delete().execute(left)
        except _ERRORS as error:
            raise unwritable(self.uri, error) from error

    def set_notes(self, notes: Mapping[str, str]) -> None:
        """Keeps notes with the table, such as which state of a catalog it is in line with, where it may be written to.

        Without them, the next one who asks finds out again.
        """
        new = {name: text for name, text in notes.items() if self.note(name) != text}
        if self._dataset is not None and new:
            with suppress(*_ERRORS):
                self._dataset.update_config(new)

    def _merge(self) -> Any:  # Lance has no types
        return self._dataset.merge_insert(list(KEY_COLUMNS)).conflict_retries(RETRIES).retry_timeout(PATIENCE)

    def _count(self) -> int:
        return int(self._dataset.count_rows()) if self._dataset is not None else 0

    def _scan(self, columns: list[str], where: str | None) -> Iterator[Any]:  # of Arrow batches, which have no types
        if self._dataset is None:
            return
        whole = None if where is None else in_brackets(where, PLAIN_COLUMNS)
        try:
            yield from self._dataset.to_batches(columns=columns, batch_size=BLOCK, filter=whole, **_READ_AHEAD)
        except _ERRORS as error:
            raise self._unread(where, error) from error

    def _unread(self, where: str | None, error: Exception) -> WembedError:
        if where is not None and is_refusal(error):
            return refused_filter(where, PLAIN_COLUMNS, error)
        return unreadable(self.uri, error)

    def _own_schema(self) -> Any:  # a pyarrow schema, which has no types
        self._schema = self._schema or arrow_schema(self.encoder_id, self.dimension)
        return self._schema

    def _open(self) -> Any:  # a Lance dataset, which has no types; None if there is none
        try:
            dataset = open_dataset(self.uri)
        except NoTableError:
            return None
        self._check(dataset.schema)
        return renew(dataset, self._own_schema()) if is_older(dataset.schema) else dataset

    def _check(self, schema: Any) -> None:  # a pyarrow schema, which has no types
        held = (schema.metadata or {}).get(ENCODER, b"unknown").decode()
        dimension = schema.field("vector").type.list_size if "vector" in schema.names else 0
        if (held, dimension) != (self.encoder_id, self.dimension):
            expected = f"encoder {self.encoder_id} with {self.dimension} dimensions"
            found = f"encoder {held} with {dimension}"
            raise WembedError(f"{self.uri} holds embeddings of {found}, expected {expected}", "give another --store")


def _tuples(batch: Any) -> Iterator[tuple[Any, ...]]:  # of an Arrow batch, which has no types
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _among(column: str, wanted: Collection[str]) -> str | None:
    """A filter for few names, none for many."""
    if len(wanted) > MAX_FILTERED:
        return None
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(wanted))
    return f"{column} IN ({quoted})"


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
