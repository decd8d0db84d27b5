"""Rows of a zoo that can't be written to in; their embeddings, new ones for this call only, out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.catalog import CatalogRow, Zoo
    from wembed.encoder import Encoder
    from wembed.store import EmbeddingTable, UnwritableError
    from wembed.zoo.embed import EmbedResult


def embed_in_memory(
    output: Output,
    zoo: "Zoo",
    rows: "Sequence[CatalogRow]",
    encoder: "Encoder",
    table: "EmbeddingTable | None",
    unwritable: "UnwritableError",
) -> "EmbedResult":
    """Takes what a table has, makes what it lacks, and warns that this is not kept.

    Args:
        output: how to speak.
        zoo: that has the rows.
        rows: whose embeddings are asked for.
        encoder: with what.
        table: of its embeddings.
        unwritable: why they can't be kept.
    """
    from wembed.catalog import Located
    from wembed.store import Key
    from wembed.zoo import embed_given
    from wembed.zoo.embed import Embedded, EmbedResult

    keys = {row.id: Key(row.content, row.spec) for row in rows}
    kept = table.fetch(list(keys.values())) if table else {}
    lacking = [Located(row.id, zoo.path_of(row), row) for row in rows if keys[row.id] not in kept]
    warn_not_kept(output, len(lacking), unwritable)
    with output.progress("embedding") as progress:
        made = embed_given(lacking, zoo, encoder, None, progress)
    done = {entry.id: entry for entry in made.done}
    for row in rows:
        if keys[row.id] in kept:
            vector = kept[keys[row.id]]
            done[row.id] = Embedded(row.id, row.params, 0.0, True, vector, structure=row.structure, content=row.content)
    return EmbedResult([done[row.id] for row in rows if row.id in done], made.failures)


def warn_not_kept(output: Output, count: int, unwritable: "UnwritableError") -> None:
    """Says that some embeddings are made for nothing but this call."""
    if count:
        output.warn(f"{count} embeddings are made for this call only: {unwritable.message}")
