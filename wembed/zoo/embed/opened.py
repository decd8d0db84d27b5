"""A checkpoint in, by row or by path; the same opened, with its symmetries and the key of its embedding, out."""

import dataclasses
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow, Located, Zoo
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.kinship import tensor_hashes
from wembed.store import Key, Row
from wembed.symmetry import SymmetrySpec, structure_signature
from wembed.zoo.embed.current import table_row
from wembed.zoo.specs import spec_for, spec_of_row


@dataclass(frozen=True)
class Opened:
    """A checkpoint that is ready to be embedded.

    Args:
        id: what it is called.
        checkpoint: its header, and what reads the rest.
        spec: its symmetries.
        key: what its embedding goes by.
        rows: of the table that its embedding goes to; none if it isn't kept.
        structure: signature of its names and shapes.
        seconds: that opening it took.
        renewed: its row as it now is, where the catalog's is out of date.
    """

    id: str
    checkpoint: Checkpoint
    spec: SymmetrySpec
    key: Key
    rows: tuple[Row, ...]
    structure: str
    seconds: float
    renewed: CatalogRow | None = None


def open_row(zoo: Zoo, row: CatalogRow, copies: Sequence[CatalogRow]) -> Opened:
    """Opens a checkpoint of a zoo.

    Args:
        zoo: that it is in.
        row: of the checkpoint.
        copies: the rows, among them this one, of the same weights and symmetries.

    Raises:
        WembedError: it can't be opened, or has changed since it was added.
    """
    start = time.perf_counter()
    checkpoint = open_checkpoint(zoo.path_of(row))
    if checkpoint.content_hash() != row.content:
        hint = f"take it in again with `wembed zoo add {shlex.quote(str(checkpoint.path))}`"
        raise CheckpointRefusedError(f"{checkpoint.path}: changed since it was added to the zoo", hint)
    spec = spec_of_row(zoo, checkpoint, row)
    renewed = None
    if spec.hash != row.spec:  # another version of wembed, or an edited spec file, finds other symmetries
        renewed = dataclasses.replace(row, spec=spec.hash, tier=spec.tier)
    key, structure = Key(row.content, spec.hash), structure_signature(checkpoint)
    rows = tuple(table_row(each) for each in ([renewed] if renewed else copies))
    return Opened(row.id, checkpoint, spec, key, rows, structure, time.perf_counter() - start, renewed)


def with_tensors(opened: Opened) -> list[Row]:
    """The rows that an embedding goes to, with the hashes of the tensors."""
    tensors = tensor_hashes(opened.checkpoint) if opened.rows else None
    return [dataclasses.replace(row, tensors=tensors) for row in opened.rows]


def open_located(zoo: Zoo | None, located: Located, given: SymmetrySpec | None) -> Opened:
    """Opens a checkpoint that was asked for; its embedding is kept if the zoo has it as it is.

    Args:
        zoo: whose specs to know, if any.
        located: where it is.
        given: its symmetries, instead of what it would get.

    Raises:
        WembedError: it can't be opened.
    """
    start = time.perf_counter()
    checkpoint, row = open_checkpoint(located.path), located.row
    own = zoo is not None and given is None
    spec = spec_of_row(zoo, checkpoint, row) if own else spec_for(zoo, checkpoint, given)
    key, structure = Key(checkpoint.content_hash(), spec.hash), structure_signature(checkpoint)
    rows = (table_row(row),) if row is not None and key == (row.content, row.spec) else ()
    return Opened(located.id, checkpoint, spec, key, rows, structure, time.perf_counter() - start)
