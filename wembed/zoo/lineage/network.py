"""A zoo in; its networks, opened once for all that lineage asks of them, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import Item
from wembed.errors import WembedError
from wembed.zoo.items import open_items
from wembed.zoo.lineage.direction import CERTAIN, UNTOLD, Direction, direction
from wembed.zoo.lineage.sketch import Sketch, sketch
from wembed.zoo.lineage.traces import Format, formats_of
from wembed.zoo.lineage.untouched import Untouched, untouched
from wembed.zoo.progress import Progress

_BY_DATE = 1.0  # log-odds: an older entry is likelier to be the parent, no more
_APART = timedelta(days=1)  # what was taken in together says nothing


@dataclass(frozen=True, eq=False)
class Network:
    """A checkpoint with distinct weights.

    Args:
        row: as in the catalog.
        item: opened.
        sketch: a sample of its weights.
        formats: coarser than float32, that hold all its weights.
    """

    row: CatalogRow
    item: Item
    sketch: Sketch
    formats: frozenset[Format]


@dataclass(frozen=True)
class Opened:
    """The networks of a zoo.

    Args:
        networks: one for each weights that are there.
        unread: why others could not be read.
    """

    networks: list[Network]
    unread: list[WembedError]


def open_networks(zoo: Zoo, rows: Sequence[CatalogRow], progress: Progress) -> Opened:
    """Opens checkpoints and takes a sample of each; of those with equal weights the first."""
    networks: list[Network] = []
    unread: list[WembedError] = []
    for done, row in enumerate(rows, start=1):
        try:
            (item,) = open_items(zoo, [row])
            own = sketch(item[0])
            networks.append(Network(row, item, own, formats_of(own)))
        except WembedError as error:
            unread.append(error)
        progress(done, len(rows))
    return Opened(networks, unread)


class Pairs:
    """What two networks tell of each other, found once: the weights untouched in both, and which of them came first.

    Args:
        networks: that are asked for, by number.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._untouched: dict[tuple[int, int], Untouched] = {}
        self._directions: dict[tuple[int, int], Direction] = {}

    def untouched(self, one: int, other: int) -> Untouched:
        """The weights that training reached in neither; decayed in the second, if anywhere."""
        first, second = min(one, other), max(one, other)
        if (first, second) not in self._untouched:
            found = untouched(self._networks[first].sketch, self._networks[second].sketch)
            self._untouched[first, second] = found
        known = self._untouched[first, second]
        return known if one == first else known.turned()

    def first_of(self, one: int, other: int) -> Direction:
        """Whether the first of two came first: by what the catalog knows of runs, by the weights, or by date."""
        pair = min(one, other), max(one, other)
        if pair not in self._directions:
            self._directions[pair] = self._found(*pair)
        known = self._directions[pair]
        return known if one == pair[0] else known.turned()

    def _found(self, first: int, second: int) -> Direction:
        one, other = self._networks[first], self._networks[second]
        by_run = _by_run(one.row, other.row)
        if by_run:
            return by_run
        common = self.untouched(first, second)
        found = direction((one.sketch, one.formats), (other.sketch, other.formats), common)
        is_told = found.log_odds and found.reason
        return found if is_told or found.are_siblings else by_date(one.row, other.row, found)


def by_date(one: CatalogRow, other: CatalogRow, otherwise: Direction = UNTOLD) -> Direction:
    """That what was taken in much earlier came first, if anything."""
    dates = [_date(row) for row in (one, other)]
    if dates[0] is None or dates[1] is None or abs(dates[0] - dates[1]) < _APART:
        return otherwise
    return Direction(_BY_DATE if dates[0] < dates[1] else -_BY_DATE, "date")


def _date(row: CatalogRow) -> datetime | None:
    try:
        return datetime.fromisoformat(row.added)
    except ValueError:
        return None


def _by_run(one: CatalogRow, other: CatalogRow) -> Direction | None:
    """What training steps tell; two runs from one set of initial weights come from each other neither way."""
    if one.step is None or other.step is None or not (one.run and other.run):
        return None
    if one.run == other.run and one.step != other.step:
        return Direction(CERTAIN if one.step < other.step else -CERTAIN, "training steps")
    is_twin = one.run != other.run and one.init_id is not None and one.init_id == other.init_id
    return Direction(0.0, "", are_siblings=True) if is_twin else None
