"""What a person names in; a query for each, and a failure for each that can't be one, out.

What is embedded already is taken from the table by its id: no checkpoint is opened, and no catalog is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import Located
from wembed.checkpoint import open_checkpoint
from wembed.cli.options import with_standard_input
from wembed.cli.session import Session
from wembed.errors import WembedError
from wembed.neighbours import Query, Wanted
from wembed.store import EmbeddingTable, spelt
from wembed.zoo import Embedded, EmbedResult, locate_all

_AT_ONCE = 256  # ids in one look at the table


@dataclass(frozen=True)
class Asked:
    """The queries of one call.

    Args:
        queries: in the order in which they were named.
        failures: why others are none.
    """

    queries: list[Query]
    failures: list[WembedError]


def queries_of(session: Session, arguments: Sequence[str], spec: Path | None, wanted: Wanted) -> Asked:
    """Gives the queries that some arguments name.

    Args:
        session: to embed with what is not embedded yet.
        arguments: paths and ids; a `-` for those on standard input.
        spec: a file with the symmetries of all of them, instead of what each would get.
        wanted: what they are for: only who leaves out a query's copies needs the hash of its weights.

    Raises:
        UsageError: if standard input names nothing.
        WembedError: if there is but one and it can't be done.
    """
    names = with_standard_input(arguments)
    known = {} if spec or not session.is_current else _known(session.kept.table, [*filter(_is_id, names)])
    rest = [name for name in names if name not in known]
    result = session.embed_each(rest, spec) if rest else EmbedResult([], [])
    if len(result.failures) == 1 and not result.done and not known:
        raise result.failures[0].error
    failed = {failure.id for failure in result.failures}
    places = {one.argument: one for one in locate_all(rest, session.zoo).located} if rest else {}
    embedded = iter(result.done)
    queries = [known.get(name) or _query(next(embedded), places[name], wanted) for name in names if name not in failed]
    return Asked(queries, [failure.error for failure in result.failures])


def _is_id(name: str) -> bool:
    return not name.startswith("hf://") and not Path(name).exists()


def _known(table: EmbeddingTable, ids: Sequence[str]) -> dict[str, Query]:
    """The queries by id that a table has the embeddings of."""
    found: dict[str, Query] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        vectors = table.find(part)
        quoted = ", ".join("'" + spelt(name).replace("'", "''") + "'" for name in vectors)
        rows = table.rows(f"id IN ({quoted})", ("id", "content", "structure")) if vectors else []
        for row in rows:
            id = str(row["id"])
            found[id] = Query(id, vectors[id], str(row["content"]), str(row["structure"] or ""))
    return found


def _query(embedded: Embedded, located: Located, wanted: Wanted) -> Query:
    if embedded.vector is None:
        raise ValueError(f"{embedded.id} has no vector")
    content = open_checkpoint(located.path).content_hash() if wanted.exclude_self else ""
    file = "" if located.row else str(located.path)
    return Query(embedded.id, embedded.vector, content, embedded.structure, file)
