"""A zoo in; a table with an embedding of each of its checkpoints out."""

from functools import partial

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import Encoder
from wembed.store import EmbeddingTable, Key
from wembed.zoo.embed.chunks import alike_together
from wembed.zoo.embed.current import bring_in_line, mark_current, settle
from wembed.zoo.embed.opened import open_row
from wembed.zoo.embed.results import Embedded, EmbedResult
from wembed.zoo.embed.run import Job, Run
from wembed.zoo.embed.shard import WHOLE, Shard
from wembed.zoo.progress import Progress, silent

Placed = tuple[int, CatalogRow]


def embed_zoo(
    zoo: Zoo, encoder: Encoder, table: EmbeddingTable, progress: Progress = silent, shard: Shard = WHOLE
) -> EmbedResult:
    """Embeds the checkpoints of a zoo, or of a part of it, that aren't in a table yet, and puts them there.

    Args:
        zoo: whose checkpoints.
        encoder: with what.
        table: of the encoder's embeddings.
        progress: told after every checkpoint.
        shard: which part; others may be embedded into the same table at the same time.

    Raises:
        WembedError: if the table can't be written.
    """
    state = bring_in_line(zoo, table)
    rows = shard.rows(state.rows)
    run = Run(encoder, table, zoo, progress, len(rows))
    _embed_rows(run, zoo, rows, state.keys)
    result = run.result()
    if shard != WHOLE:
        settle(zoo, table, result.failures)
    else:
        mark_current(zoo, table, state, result.failures)
    return result


def _embed_rows(run: Run, zoo: Zoo, rows: list[CatalogRow], there: set[Key]) -> None:
    left = list(enumerate(rows))
    copies = _by_key(rows)
    while left:
        left = _without_known(run, left, there | run.stored)
        first = _first_of_each(left)
        places = {place for place, _ in first}
        left = [placed for placed in left if placed[0] not in places]  # copies, which wait for the first of them
        jobs = [Job(place, row.id, partial(open_row, zoo, row, copies[_key(row)])) for place, row in _sorted(first)]
        run.embed(jobs, known=lambda keys: {})


def _by_key(rows: list[CatalogRow]) -> dict[Key, list[CatalogRow]]:
    by_key: dict[Key, list[CatalogRow]] = {}
    for row in rows:
        by_key.setdefault(_key(row), []).append(row)
    return by_key


def _without_known(run: Run, placed: list[Placed], there: set[Key]) -> list[Placed]:
    for place, row in placed:
        if _key(row) in there:
            run.skip(
                place, Embedded(row.id, row.params, 0.0, skipped=True, structure=row.structure, content=row.content)
            )
    return [(place, row) for place, row in placed if _key(row) not in there]


def _first_of_each(placed: list[Placed]) -> list[Placed]:
    """One row for each key."""
    first: dict[Key, Placed] = {}
    for place, row in placed:
        first.setdefault(_key(row), (place, row))
    return list(first.values())


def _sorted(placed: list[Placed]) -> list[Placed]:
    return alike_together(placed, lambda each: each[1].structure)


def _key(row: CatalogRow) -> Key:
    return Key(row.content, row.spec)
