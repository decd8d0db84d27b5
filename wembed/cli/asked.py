"""What a person names in; a query for each, and a failure for each that can't be one, out.

What is embedded already is taken from the table, by its id or its path: no catalog is read where the table is in line
with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wembed.catalog import Located
from wembed.checkpoint import open_checkpoint
from wembed.cli.options import with_standard_input
from wembed.cli.session import Session
from wembed.errors import UsageError, WembedError
from wembed.kinship import tensor_hashes
from wembed.neighbours import Query
from wembed.store import EmbeddingTable, UnwritableError, spelt
from wembed.symmetry import load_spec
from wembed.zoo import Embedded, Failure, embed_given, locate_all
from wembed.zoo.given import Given

_AT_ONCE = 256  # names in one look at the table
_COLUMNS = ("id", "path", "content", "structure")


@dataclass(frozen=True)
class Asked:
    """The queries of one call.

    Args:
        queries: in the order in which they were named.
        failures: why others are none.
    """

    queries: list[Query]
    failures: list[WembedError]


def queries_of(session: Session, arguments: Sequence[str], spec: Path | None) -> Asked:
    """Gives the queries that some arguments name.

    Args:
        session: to embed with what is not embedded yet.
        arguments: paths and ids; a `-` for those on standard input.
        spec: a file with the symmetries of all of them, instead of what each would get.

    Raises:
        UsageError: if standard input names nothing.
        WembedError: if there is but one and it can't be done.
    """
    names = with_standard_input(arguments)
    known = {} if spec or not session.is_current else _known(session, names)
    made, failures = _made(session, [name for name in names if name not in known], spec)
    if len(failures) == 1 and not made and not known:
        raise failures[0].error
    failed, new = {failure.id for failure in failures}, iter(made)
    queries = [known.get(name) or next(new) for name in names if name not in failed]
    return Asked(queries, [failure.error for failure in failures])


def with_tensors(session: Session, asked: Asked, wanted: Sequence[str]) -> Asked:
    """Gives queries with the hashes of their tensors: as the table has them, else from their files.

    Args:
        session: whose table.
        asked: the queries.
        wanted: names of tensors; a query that lacks one becomes a failure.

    Raises:
        UsageError: if there is but one query and it lacks one.
    """
    table = session.kept.table
    if unknown := table.count("hashes IS NULL"):
        again = f"delete {table.uri} to have it made again"
        session.output.warn(f"of {unknown} checkpoints, embedded by an earlier version, no tensors are known: {again}")
    known = table.tensors({query.content for query in asked.queries})
    queries: list[Query] = []
    failures = [*asked.failures]
    for query in asked.queries:
        own = replace(query, tensors=known.get(query.content) or _hashes(session, query))
        try:
            for name in wanted:
                own.hash_of(name)
        except UsageError as error:
            failures.append(error)
        else:
            queries.append(own)
    if len(failures) == 1 and not queries:
        raise failures[0]
    return Asked(queries, failures)


def _hashes(session: Session, query: Query) -> dict[str, str]:
    zoo, table = session.kept.zoo, session.kept.table
    path = query.file or zoo.root / str(table.rows(_among("content", [query.content]), ("path",))[0]["path"])
    return tensor_hashes(open_checkpoint(Path(path)))


def _known(session: Session, names: Sequence[str]) -> dict[str, Query]:
    """The queries, by name, that the table has the embeddings of."""
    zoo, table = session.kept.zoo, session.kept.table
    paths = {name: zoo.stored_path(Path(name)) for name in names if not _is_id(name)}
    by_id = {query.id: replace(query, file="") for query in _held(table, "id", [*filter(_is_id, names)])}
    by_path = {query.file: query for query in _held(table, "path", [*paths.values()])}
    found = {name: replace(by_path[path], file="") for name, path in paths.items() if path in by_path}
    return by_id | {name: query for name, query in found.items() if _is_unchanged(Path(name), query)}


def _is_id(name: str) -> bool:
    return name.startswith("hf://") or not Path(name).exists()


def _is_unchanged(path: Path, query: Query) -> bool:
    try:
        return open_checkpoint(path).content_hash() == query.content
    except (WembedError, OSError):
        return False


def _held(table: EmbeddingTable, column: str, names: Sequence[str]) -> Iterator[Query]:
    """What a table has under some names in a column, with the stored path as the file."""
    for start in range(0, len(names), _AT_ONCE):
        rows = table.rows(_among(column, names[start : start + _AT_ONCE]), _COLUMNS)
        vectors = table.find([str(row["id"]) for row in rows])
        for row in rows:
            id, path, content, structure = (str(row[name] or "") for name in _COLUMNS)
            yield Query(id, vectors[id], content, structure, path)


def _made(session: Session, names: Sequence[str], spec: Path | None) -> tuple[list[Query], list[Failure]]:
    """The queries that are embedded now, and why others can't be."""
    located, failures = _located(session, names)
    with session.output.progress("embedding") as progress:
        chosen = load_spec(spec) if spec else None
        try:
            result = embed_given(located, session.zoo, session.encoder, session.table, progress, chosen)
        except UnwritableError:  # of which `catch_up` warns
            result = embed_given(located, session.zoo, session.encoder, None, progress, chosen)
    for embedded in result.done:
        session.output.notices(embedded.id, embedded.notices)
    failures = [*failures, *result.failures]
    failed = {failure.id for failure in failures}
    there = [one for one in located if one.argument not in failed]
    return [_query(*each) for each in zip(result.done, there, strict=True)], failures


def _located(session: Session, names: Sequence[str]) -> Given:
    """Where checkpoints are; files of no zoo, if the table tells them from others, without reading the catalog."""
    if session.is_current and not any(map(_is_id, names)):
        return Given([Located(name, Path(name)) for name in names], [])
    return locate_all(names, session.zoo)


def _query(embedded: Embedded, located: Located) -> Query:
    if embedded.vector is None:
        raise ValueError(f"{embedded.id} has no vector")
    file = "" if located.row else str(located.path)
    return Query(embedded.id, embedded.vector, embedded.content, embedded.structure, file)


def _among(column: str, names: Sequence[str]) -> str:
    quoted = ", ".join("'" + spelt(name).replace("'", "''") + "'" for name in names)
    return f"{column} IN ({quoted})"
