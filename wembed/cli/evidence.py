"""The answers of a search in; with what the weights themselves say of each hit, layer by layer or as a verdict, out."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np

from wembed.catalog import CatalogRow
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.cli.session import Session
from wembed.cli.strangers import Strangers, open_strangers, stale
from wembed.encoder import Item
from wembed.errors import NotFoundError, WembedError
from wembed.kinship import compare, why
from wembed.symmetry import load_spec
from wembed.zoo import open_items, spec_for

Row = dict[str, object]

MOST_COMPARED = 20_000_000  # parameters of one query's shortlist
SEED = 0  # of the reorderings that are tried, and of which strangers: one search always says the same


@dataclass
class Evidence:
    """Opens the checkpoints of a search and compares them.

    Args:
        session: whose zoo.
        spec: a file with the symmetries of queries that are in no zoo.
    """

    session: Session
    spec: Path | None
    _said: set[str] = field(default_factory=set)

    def layers(self, row: Row) -> Row:
        """Which layers a query and a hit share, as a list under `layers`."""
        found = why(self._query(row), self._item(str(row["id"])), np.random.default_rng(SEED))
        return {"layers": [_finite(asdict(layer)) for layer in found]}

    def verdict(self, row: Row) -> Row:
        """What a query and a hit are to each other: a `verdict` and its `p_value`."""
        query, hit = self._query(row), self._item(str(row["id"]))
        strangers = self._strangers(query[0], hit[0])
        found = compare(query, hit, strangers.items, np.random.default_rng(SEED), strangers.others)
        return {"verdict": found.verdict, "p_value": found.p_value}

    def parameters(self, id: str) -> int:
        """How many a hit has; 0 where that is no longer known."""
        return self._rows[id].params if id in self._rows else 0

    @cached_property
    def _rows(self) -> dict[str, CatalogRow]:
        return {row.id: row for row in self.session.kept.zoo.rows()}

    def _query(self, row: Row) -> Item:
        name, file = str(row["query"]), str(row["file"])
        if not file and not self.spec:
            return self._item(name)
        zoo = self.session.kept.zoo
        checkpoint = open_checkpoint(Path(file) if file else zoo.path_of(self._rows[name]))
        return checkpoint, spec_for(zoo, checkpoint, load_spec(self.spec) if self.spec else None)

    def _item(self, id: str) -> Item:
        if id not in self._rows:
            raise NotFoundError(f"{id} has left the zoo meanwhile")
        row = self._rows[id]
        (item,) = open_items(self.session.kept.zoo, [row])
        if item[0].content_hash() != row.content:
            self._warn(stale(row))
        return item

    def _strangers(self, query: Checkpoint, hit: Checkpoint) -> Strangers:
        found = open_strangers(self.session.kept.zoo, list(self._rows.values()), query, hit, SEED)
        for warning in found.warnings:
            self._warn(warning)
        return found

    def _warn(self, text: str) -> None:
        """Says something once."""
        if text not in self._said:
            self._said.add(text)
            self.session.output.warn(text)


def add_evidence(evidence: Evidence, columns: Collection[str], rows: Iterable[Row]) -> Iterator[Row]:
    """Adds to rows of a search, as they come, what columns ask for; nothing where a file can't be read."""
    asked = [give for name, give in _GIVERS.items() if name in columns]
    for row in rows:
        try:
            yield row | {name: value for give in asked for name, value in give(evidence, row).items()}
        except WembedError as error:
            evidence.session.output.warn(f"{row['id']} is not compared: {error.message}")
            yield row


def verified(evidence: Evidence, rows: Iterable[Row], k: int) -> Iterator[Row]:
    """The k best of each query's shortlist by what the weights say: kin in the order of their scores, then the others.

    Beyond the first k, networks are compared as long as they are small.

    Args:
        evidence: compares.
        rows: of a search, query by query, the nearest first.
        k: how many to give.
    """
    for _, near in groupby(rows, key=lambda row: row["number"]):
        kin: list[Row] = []
        others: list[Row] = []
        left = MOST_COMPARED
        for place, row in enumerate(near):
            left -= evidence.parameters(str(row["id"]))
            if len(kin) == k or (place >= k and left < 0):
                break
            (judged,) = add_evidence(evidence, ("verdict",), [row])
            (kin if judged.get("verdict") in ("same", "derived") else others).append(judged)
        yield from ({**row, "rank": rank} for rank, row in enumerate([*kin, *others][:k], start=1))


_GIVERS: Mapping[str, Callable[[Evidence, Row], Row]] = {
    "verdict": Evidence.verdict,
    "layers": Evidence.layers,
}


def _finite(row: Row) -> Row:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
