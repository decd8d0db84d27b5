"""The answers of a search in; rows for people and for machines out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from wembed.cli.output import Output
from wembed.cli.session import Session
from wembed.neighbours import Found, Gather, Query, percentiles_of, probe, probes_of, scan
from wembed.store import Listed

Row = dict[str, object]

FIELDS = ("path", "architecture", "dataset", "accuracy")  # of the table, in every row
TENSOR_FIELDS = ("hashes",)  # where tensors are compared
LAYER_COLUMNS = ("rank", "id", "layer", "kind", "similarity", "identical", "change")


def gather_by_index(session: Session, k: int) -> Gather:
    """Gives what searches by an index, which is made or brought up to date, and says how good it is.

    Args:
        session: whose table.
        k: how many are wanted.

    Raises:
        WembedError: if it can't be written.
    """
    with session.output.progress("indexing"):
        index = session.kept.table.build_index()
    if index is None:
        session.output.note("the table is too small for an index: the search is exact")
        return scan
    session.output.note(
        f"index: {probes_of(index, k)} of {index.partitions} partitions are searched, recall@10 at least "
        f"{index.recall:.3f}, measured with half as many on {index.sample} of {index.rows} rows"
    )
    return probe


def rows_of(session: Session, answers: Iterable[Found]) -> Iterator[Row]:
    """Gives the rows of answers as they come, with paths that can be opened from here."""
    zoo, table = session.kept.zoo, session.kept.table
    percentiles = percentiles_of(table)
    for number, found in enumerate(answers):
        for near in found.neighbours:
            yield {
                "number": number,  # of the query; two may be called the same
                "file": found.query.file,
                "query": found.query.id,
                "rank": near.rank,
                "id": near.id,
                "score": near.score,
                **near.columns,
                "path": zoo.root / str(near.columns["path"]),
                "encoder": session.name,
                "percentile": percentiles.of(near.score) if percentiles else None,
                "shared": _shared(found.query, near.columns.get("hashes")),
            }


def with_evidence(
    session: Session, spec: Path | None, columns: Sequence[str], k: int, rows: Iterator[Row]
) -> Iterator[Row]:
    """Adds to rows, as they come, what columns of evidence say of the query and the hit; see evidence.py.

    Args:
        session: whose zoo.
        spec: a file with the symmetries of the queries, instead of what each would get.
        columns: of evidence; none is no work.
        k: how many of each query's rows to give, where these are verified.
        rows: of `rows_of`.
    """
    if not columns:
        return rows
    from wembed.cli.evidence import Evidence, add_evidence, verified  # what compares weights is slow to load

    evidence = Evidence(session, spec)
    if "verdict" in columns:
        rows = verified(evidence, rows, k)
    return add_evidence(evidence, [name for name in columns if name == "layers"], rows)


def _shared(query: Query, hashes: Listed) -> list[str] | None:
    """The query's tensors that a hit holds exactly; None where that isn't known."""
    return [name for name, hash in query.tensors.items() if hash in hashes] if isinstance(hashes, list) else None


def write_rows(output: Output, rows: Iterator[Row], columns: Sequence[str]) -> Row | None:
    """Writes rows as they come and gives the first of them; people get the layers of all of them in a second table."""
    first = next(rows, None)  # a filter that isn't understood must not follow a header
    whole = chain([first] if first else [], rows)
    columns = tuple(dict.fromkeys(columns))
    if output.format != "table" or "layers" not in columns:
        output.rows(whole, columns)
        return first
    kept = list(whole)
    counted = [row | {"shared": len(shared) if isinstance(shared := row["shared"], list) else None} for row in kept]
    output.rows(counted, [column for column in columns if column != "layers"])
    by_query = ["query"] if "query" in columns else []
    output.rows([row | layer for row in kept for layer in _layers(row)], [*by_query, *LAYER_COLUMNS])
    return first


def _layers(row: Row) -> Sequence[Row]:
    layers = row.get("layers")
    return layers if isinstance(layers, list) else []
