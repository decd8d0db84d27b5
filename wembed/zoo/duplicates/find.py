"""A zoo in; the groups of checkpoints that are one network, and the one of each to keep, out.

Equal weights are seen by their hash. All other candidates are pairs of one structure whose embeddings, which no
reordering and no rescaling changes, lie no further apart than rounding moves one; each of them is then compared weight
by weight, so that the embedding decides about time and not about the answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import WembedError
from wembed.kinship import Network, are_same
from wembed.kinship.rounding import ROUNDOFF
from wembed.zoo.duplicates.candidates import near_pairs
from wembed.zoo.duplicates.reason import Reason, by_hash, reason_of
from wembed.zoo.duplicates.vectors import Vector
from wembed.zoo.items import open_items
from wembed.zoo.progress import Progress, silent

RADIUS = 2e-3  # of a cosine: rounding to bf16 moves the fingerprint of a trained network by .0006 at most


@dataclass(frozen=True)
class Duplicate:
    """A checkpoint of a group of equal ones.

    Args:
        row: as in the catalog.
        keep: whether it is the one to keep.
        reason: in what it is equal to the one to keep; None for that one.
        saved: bytes that are free once it is gone.
    """

    row: CatalogRow
    keep: bool
    reason: Reason | None
    saved: int


@dataclass(frozen=True)
class Duplicates:
    """What is there more than once.

    Args:
        groups: the equal ones, the one to keep first.
        unread: of the candidates that could not be compared, why.
    """

    groups: list[list[Duplicate]]
    unread: list[WembedError]

    @property
    def saved(self) -> int:
        """Bytes that are free once only those to keep are there."""
        return sum(entry.saved for group in self.groups for entry in group)


def find_duplicates(
    zoo: Zoo, rows: Sequence[CatalogRow], vectors: Mapping[str, Vector], progress: Progress = silent
) -> Duplicates:
    """Finds what is equal up to symmetry and the rounding of the coarser one.

    Args:
        zoo: that holds the rows.
        rows: what to look among.
        vectors: id -> embedding by the fingerprint [D]; a row without one is compared by its hashes alone.
        progress: told how many structures are done.
    """
    search = _Search(zoo, rows)
    structures: dict[tuple[str, str], list[CatalogRow]] = defaultdict(list)
    for row in search.first_of_each_content():
        if row.id in vectors:
            structures[row.structure, row.spec].append(row)
    for done, alike in enumerate(structures.values(), start=1):
        search.compare(alike, [vectors[row.id] for row in alike])
        progress(done, len(structures))
    return Duplicates([search.described(group) for group in search.groups()], search.unread)


class _Search:
    """Which rows are known to be equal so far.

    Args:
        zoo: that holds them.
        rows: all of them.
    """

    def __init__(self, zoo: Zoo, rows: Sequence[CatalogRow]) -> None:
        self.unread: list[WembedError] = []
        self._zoo, self._rows = zoo, rows
        self._leaders: dict[str, str] = {}
        first: dict[str, str] = {}
        for row in rows:
            self._leaders[self._leader(row.id)] = self._leader(first.setdefault(row.content, row.id))

    def first_of_each_content(self) -> list[CatalogRow]:
        return [row for row in self._rows if self._leader(row.id) == row.id]

    def compare(self, rows: Sequence[CatalogRow], vectors: Sequence[Vector]) -> None:
        """Compare the near ones of one structure."""
        networks: dict[str, Network | None] = {}
        for one, other in near_pairs(vectors, RADIUS):
            if self._leader(rows[one].id) != self._leader(rows[other].id):
                first, second = (self._readable(networks, rows[number]) for number in (one, other))
                if first and second and are_same(first, second):
                    self._leaders[self._leader(rows[other].id)] = self._leader(rows[one].id)

    def groups(self) -> list[list[CatalogRow]]:
        """The groups of equal rows, the one to keep first."""
        found: dict[str, list[CatalogRow]] = defaultdict(list)
        for row in self._rows:
            found[self._leader(row.id)].append(row)
        return [part for group in found.values() if len(group) > 1 for part in self._confirmed(group)]

    def described(self, group: Sequence[CatalogRow]) -> list[Duplicate]:
        """The rows of a group, and what each of them is to the first."""
        kept, *others = group
        first = self._network(kept) if any(row.content != kept.content for row in others) else None
        taken = {self._zoo.path_of(kept)}
        entries = [Duplicate(kept, True, None, 0)]
        for row in others:
            own = None if row.content == kept.content else self._network(row)
            reason = reason_of(first, own) if first and own else by_hash(kept, row)
            saved = 0 if self._zoo.path_of(row) in taken else row.bytes
            taken.add(self._zoo.path_of(row))
            entries.append(Duplicate(row, False, reason, saved))
        return entries

    def _confirmed(self, group: Sequence[CatalogRow]) -> Iterator[list[CatalogRow]]:
        """Those that equal the one to keep, by themselves and not by way of a coarser one; the same of the others."""
        left = list(group)
        while len(left) > 1:
            if len({row.content for row in left}) == 1:
                yield self._oldest_first(left)
                return
            networks = {row.id: self._network(row) for row in left}
            finest = min(ROUNDOFF[network.precision] for network in networks.values())
            fine = [row for row in left if ROUNDOFF[networks[row.id].precision] == finest]
            # What was rounded to 8 bits may equal the coarse copies of a network and not itself: most equals count.
            found = [(kept, _equals(kept, left, networks)) for kept in self._oldest_first(fine)]
            kept, equal = max(found, key=lambda pair: len(pair[1]))
            if len(equal) > 1:
                yield [kept, *(row for row in equal if row is not kept)]
            left = [row for row in left if row not in equal]

    def _oldest_first(self, rows: Sequence[CatalogRow]) -> list[CatalogRow]:
        return sorted(rows, key=lambda row: row.added)  # which keeps the catalog's order of those of one second

    def _network(self, row: CatalogRow) -> Network:
        return Network(open_items(self._zoo, [row])[0])

    def _readable(self, known: dict[str, Network | None], row: CatalogRow) -> Network | None:
        if row.id not in known:
            try:
                known[row.id] = self._network(row)
            except WembedError as error:
                self.unread.append(error)
                known[row.id] = None
        return known[row.id]

    def _leader(self, name: str) -> str:
        while self._leaders.setdefault(name, name) != name:
            self._leaders[name] = name = self._leaders[self._leaders[name]]
        return name


def _equals(kept: CatalogRow, rows: Sequence[CatalogRow], networks: Mapping[str, Network]) -> list[CatalogRow]:
    """Those of some rows that equal one, itself included."""
    return [row for row in rows if row.content == kept.content or are_same(networks[kept.id], networks[row.id])]
