"""Queries in; the neighbours of each out, some hundred queries to one pass over the table."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from wembed.neighbours.asked import Found, Neighbour, Query, Wanted
from wembed.neighbours.best import Best, Candidate, Places, in_order
from wembed.neighbours.exact import scan
from wembed.store import PLAIN_COLUMNS, Block, EmbeddingTable, Listed, Vectors, in_brackets, spelt

AT_ONCE = 256  # queries that are compared in one pass over the table
SAME = 1 - 1e-6  # score from which a query's own row, or a copy of its weights, comes first

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
        UsageError: if the filter isn't understood, or a query lacks a tensor that is wanted.
        WembedError: if the table can't be read.
    """
    wanted = wanted or Wanted()
    for start in range(0, len(queries), AT_ONCE):
        yield from _search(queries[start : start + AT_ONCE], table, wanted, gather)


def _search(queries: Sequence[Query], table: EmbeddingTable, wanted: Wanted, gather: Gather) -> list[Found]:
    found: dict[int, Found] = {}
    filters = [_filter(query, wanted) for query in queries]
    for where in dict.fromkeys(filters):
        places = [place for place, own in enumerate(filters) if own == where]
        alike = dataclasses.replace(wanted, where=where)
        found |= zip(places, _search_among([queries[place] for place in places], table, alike, gather), strict=True)
    return [found[place] for place in range(len(queries))]


def _filter(query: Query, wanted: Wanted) -> str | None:
    """What a query's neighbours must fulfil: the filter that was given, and what the query itself says."""
    conditions = [in_brackets(wanted.where, PLAIN_COLUMNS)] if wanted.where else []
    if wanted.same_architecture:
        conditions.append(f"structure = {_quoted([query.structure])}")
    conditions += [f"array_has(hashes, {_quoted([query.hash_of(name)])})" for name in wanted.tensors]
    return wanted.where if wanted.where and len(conditions) == 1 else " AND ".join(conditions) or None


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


def _is_own(query: Query, id: Listed, content: Listed) -> bool:
    return (id == query.id and not query.file) or (content == query.content != "")


def _kept(query: Query, found: Best, rows: Sequence[dict[str, Listed]], wanted: Wanted) -> list[Candidate]:
    triples = list(zip(found.scores, found.places, rows, strict=True))
    ordered = in_order([Candidate(float(score), str(row["id"]), int(place)) for score, place, row in triples])
    own = {int(place) for _, place, row in triples if _is_own(query, row["id"], row["content"])}
    if wanted.exclude_self:
        return [candidate for candidate in ordered if candidate.place not in own][: wanted.k]
    return sorted(ordered, key=lambda each: not (each.place in own and each.score > SAME))[: wanted.k]


def _found(query: Query, candidates: Sequence[Candidate], columns: Sequence[dict[str, Listed]]) -> Found:
    pairs = enumerate(zip(candidates, columns, strict=True), start=1)
    return Found(query, [Neighbour(rank, kept.id, kept.score, values) for rank, (kept, values) in pairs])


def _take_each(block: Block, places: Sequence[Places], columns: Sequence[str]) -> list[list[dict[str, Listed]]]:
    """Columns of the rows at several lists of places, read at once."""
    wanted, back = np.unique(np.concatenate(places), return_inverse=True)
    whole = dataclasses.replace(block, vectors=block.vectors[:0], offsets=wanted)
    rows = whole.take(range(len(wanted)), columns)
    each = iter(back)
    return [[rows[index] for index in islice(each, len(part))] for part in places]


def _quoted(names: Sequence[str]) -> str:
    return ", ".join("'" + spelt(name).replace("'", "''") + "'" for name in dict.fromkeys(names))
