"""Queries in; the neighbours of each out, some hundred queries to one pass over the table."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from wembed.neighbours.asked import Found, Neighbour, Query, Wanted
from wembed.neighbours.best import Best, Candidate, Places, in_order
from wembed.neighbours.exact import scan
from wembed.store import Block, EmbeddingTable, Value, Vectors, spelt

AT_ONCE = 256  # queries that are compared in one pass over the table

Gather = Callable[[Vectors, EmbeddingTable, Sequence[Best], str | None], Block | None]


def search(
    queries: Sequence[Query], table: EmbeddingTable, wanted: Wanted | None = None, gather: Gather = scan
) -> Iterator[Found]:
    """Gives the nearest rows of a table for each query, in the order of the queries.

    A query gets fewer than k where fewer are wanted. Scores no further apart than 1e-7 are equal: they come by id.

    Args:
        queries: what to look for.
        table: where to look.
        wanted: what to look for in it; the 5 nearest by default.
        gather: finds the best rows: `scan` exactly, `probe` by the table's index.

    Raises:
        UsageError: if the filter isn't understood.
        WembedError: if the table can't be read.
    """
    wanted = wanted or Wanted()
    for start in range(0, len(queries), AT_ONCE):
        yield from _search(queries[start : start + AT_ONCE], table, wanted, gather)


def _search(queries: Sequence[Query], table: EmbeddingTable, wanted: Wanted, gather: Gather) -> list[Found]:
    if not wanted.same_architecture:
        return _search_among(queries, table, wanted, gather)
    found: dict[int, Found] = {}
    for structure in dict.fromkeys(query.structure for query in queries):
        places = [place for place, query in enumerate(queries) if query.structure == structure]
        alike = dataclasses.replace(wanted, where=_both(wanted.where, f"structure = {_quoted([structure])}"))
        found |= zip(places, _search_among([queries[place] for place in places], table, alike, gather), strict=True)
    return [found[place] for place in range(len(queries))]


def _search_among(queries: Sequence[Query], table: EmbeddingTable, wanted: Wanted, gather: Gather) -> list[Found]:
    more = _own_rows(queries, table) if wanted.exclude_self else [0] * len(queries)
    best = [Best(wanted.k + own, wanted.min_score) for own in more]
    block = gather(np.stack([query.vector for query in queries]), table, best, wanted.where)
    if block is None:
        return [Found(query, []) for query in queries]
    named = _take_each(block, [found.places for found in best], ("id", "content"))
    kept = [_kept(query, found, rows, wanted) for query, found, rows in zip(queries, best, named, strict=True)]
    places = [np.array([candidate.place for candidate in candidates], np.uint64) for candidates in kept]
    columns = _take_each(block, places, wanted.fields) if wanted.fields else [[{}] * len(each) for each in kept]
    return [_found(*each) for each in zip(queries, kept, columns, strict=True)]


def _own_rows(queries: Sequence[Query], table: EmbeddingTable) -> list[int]:
    """How many rows of a table each query is itself, or a copy of its weights."""
    ids, contents = ([getattr(query, name) for query in queries] for name in ("id", "content"))
    where = f"id IN ({_quoted(ids)}) OR content IN ({_quoted(contents)})"
    pairs = Counter((row["id"], row["content"]) for row in table.rows(where, ("id", "content")))
    return [sum(count for pair, count in pairs.items() if _is_own(query, *pair)) for query in queries]


def _is_own(query: Query, id: Value, content: Value) -> bool:
    return (id == query.id and not query.file) or (content == query.content != "")


def _kept(query: Query, found: Best, rows: Sequence[dict[str, Value]], wanted: Wanted) -> list[Candidate]:
    candidates = [
        Candidate(float(score), str(row["id"]), int(place))
        for score, place, row in zip(found.scores, found.places, rows, strict=True)
        if not (wanted.exclude_self and _is_own(query, row["id"], row["content"]))
    ]
    return in_order(candidates)[: wanted.k]


def _found(query: Query, candidates: Sequence[Candidate], columns: Sequence[dict[str, Value]]) -> Found:
    pairs = enumerate(zip(candidates, columns, strict=True), start=1)
    return Found(query, [Neighbour(rank, kept.id, kept.score, values) for rank, (kept, values) in pairs])


def _take_each(block: Block, places: Sequence[Places], columns: Sequence[str]) -> list[list[dict[str, Value]]]:
    """Columns of the rows at several lists of places, read at once."""
    wanted, back = np.unique(np.concatenate(places), return_inverse=True)
    whole = dataclasses.replace(block, vectors=block.vectors[:0], offsets=wanted)
    rows = whole.take(range(len(wanted)), columns)
    each = iter(back)
    return [[rows[index] for index in islice(each, len(part))] for part in places]


def _both(where: str | None, condition: str) -> str:
    return f"({where}) AND {condition}" if where else condition


def _quoted(names: Sequence[str]) -> str:
    return ", ".join("'" + spelt(name).replace("'", "''") + "'" for name in dict.fromkeys(names))
