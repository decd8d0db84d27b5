"""Embedding what isn't embedded yet: of a whole zoo, or of given checkpoints.

Vectors are written a batch at a time, so that a killed run loses one batch and an interrupted one nothing. A file that
can't be read is a failure beside the others, never the end of the run.
"""

import dataclasses
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Located, Zoo
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.encoder import Encoder
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.store import EmbeddingTable, Key
from wembed.symmetry import SymmetrySpec, structure_signature
from wembed.zoo.failure import Failure
from wembed.zoo.progress import Progress, silent
from wembed.zoo.read import as_failure
from wembed.zoo.specs import spec_for, spec_of_row

BATCH = 64  # models
BATCH_SECONDS = 2.0

Vector = NDArray[np.float32]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Embedded:
    """An embedded checkpoint.

    Args:
        id: of the checkpoint.
        params: number of its parameters.
        seconds: that it took.
        skipped: whether its embedding was there already.
        vector: [D]; None if it was there already and nobody asked for it.
        notices: what was unwrapped or left out when it was read.
        structure: signature of its names and shapes.
    """

    id: str
    params: int
    seconds: float
    skipped: bool
    vector: Vector | None = None
    notices: tuple[str, ...] = ()
    structure: str = ""


@dataclass(frozen=True)
class EmbedResult:
    """What became of some checkpoints.

    Args:
        done: those that are embedded, in the order asked.
        failures: those that are not.
    """

    done: list[Embedded]
    failures: list[Failure]


class _Made(NamedTuple):
    """An embedded checkpoint, and the key to store it under if it is to be stored."""

    embedded: Embedded
    store: Key | None


@dataclass
class _Batch:
    """Vectors that are yet to be written, if there is a table to write them to."""

    table: EmbeddingTable | None
    vectors: dict[Key, Vector] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    def put(self, key: Key, vector: Vector) -> None:
        self.vectors[key] = vector
        if len(self.vectors) >= BATCH or time.monotonic() - self.since >= BATCH_SECONDS:
            self.write()

    def write(self) -> None:
        if self.table is not None:
            self.table.upsert(self.vectors)
        self.vectors, self.since = {}, time.monotonic()


def embed_zoo(zoo: Zoo, encoder: Encoder, table: EmbeddingTable, progress: Progress = silent) -> EmbedResult:
    """Embeds the checkpoints of a zoo that aren't in a table yet, and puts them there.

    Raises:
        WembedError: if the table can't be written.
    """
    there = table.keys()

    def embed(row: CatalogRow) -> _Made:
        if Key(row.content, row.spec) in there:
            return _Made(Embedded(row.id, row.params, 0.0, skipped=True, structure=row.structure), None)
        made = _embed_row(zoo, encoder, row)
        there.update([made.store] if made.store else ())
        return made

    return _each([(row.id, row) for row in zoo.rows()], embed, table, progress)


def embed_given(
    checkpoints: Sequence[Located],
    zoo: Zoo | None,
    encoder: Encoder,
    table: EmbeddingTable | None,
    progress: Progress = silent,
    given: SymmetrySpec | None = None,
) -> EmbedResult:
    """Embeds given checkpoints; every vector is in the result.

    What is in the table isn't computed again, and what is in the zoo is put into the table.

    Args:
        checkpoints: what to embed.
        zoo: whose specs to know, if any.
        encoder: with what.
        table: of embeddings, if there is one.
        progress: told after every checkpoint.
        given: the symmetries of all of them, instead of what each would get.

    Raises:
        WembedError: if the table can't be written.
    """

    def embed(located: Located) -> _Made:
        start = time.perf_counter()
        checkpoint = open_checkpoint(located.path)
        own = zoo is not None and given is None
        spec = spec_of_row(zoo, checkpoint, located.row) if own else spec_for(zoo, checkpoint, given)
        key = Key(checkpoint.content_hash(), spec.hash)
        found = table.fetch([key]).get(key) if table is not None else None
        vector = _vector(encoder, checkpoint, spec) if found is None else found
        seconds, skipped = time.perf_counter() - start, found is not None
        row = located.row
        is_kept = row is not None and key == (row.content, row.spec) and not skipped
        embedded = _embedded(located.id, checkpoint, seconds, skipped, vector)
        return _Made(embedded, key if is_kept else None)

    return _each([(located.argument, located) for located in checkpoints], embed, table, progress)


def _each(
    items: Sequence[tuple[str, Item]],
    embed: Callable[[Item], _Made],
    table: EmbeddingTable | None,
    progress: Progress,
) -> EmbedResult:
    result, batch = EmbedResult([], []), _Batch(table)
    try:
        for number, (name, item) in enumerate(items, start=1):
            try:
                made = embed(item)
            except WembedError as error:
                result.failures.append(Failure(name, error))
            except OSError as error:
                result.failures.append(Failure(name, as_failure(name, error)))
            else:
                result.done.append(made.embedded)
                if made.store and made.embedded.vector is not None:
                    batch.put(made.store, made.embedded.vector)
            progress(number, len(items))
    finally:
        batch.write()
    return result


def _embed_row(zoo: Zoo, encoder: Encoder, row: CatalogRow) -> _Made:
    start = time.perf_counter()
    checkpoint = open_checkpoint(zoo.path_of(row))
    if checkpoint.content_hash() != row.content:
        hint = f"take it in again with `wembed zoo add {shlex.quote(str(checkpoint.path))}`"
        raise CheckpointRefusedError(f"{checkpoint.path}: changed since it was added to the zoo", hint)
    spec = spec_of_row(zoo, checkpoint, row)
    vector = _vector(encoder, checkpoint, spec)
    if spec.hash != row.spec:  # another version of wembed, or an edited spec file, finds other symmetries
        zoo.append([dataclasses.replace(row, spec=spec.hash, tier=spec.tier)])
    seconds = time.perf_counter() - start
    return _Made(_embedded(row.id, checkpoint, seconds, False, vector), Key(row.content, spec.hash))


def _embedded(name: str, checkpoint: Checkpoint, seconds: float, skipped: bool, vector: Vector) -> Embedded:
    structure = structure_signature(checkpoint)
    return Embedded(name, checkpoint.parameters, seconds, skipped, vector, checkpoint.notices, structure)


def _vector(encoder: Encoder, checkpoint: Checkpoint, spec: SymmetrySpec) -> Vector:
    with np.errstate(all="ignore"):  # what overflows is refused below
        vector: Vector = encoder.embed([(checkpoint, spec)])[0].astype(np.float32)  # [D]
    if not np.isfinite(vector).all():
        raise CheckpointRefusedError(f"{checkpoint.path}: its embedding by {encoder.name} is not finite")
    return vector
