"""A zoo in; its networks, opened once for all that lineage asks of them, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import Item
from wembed.errors import WembedError
from wembed.zoo.items import open_items
from wembed.zoo.lineage.direction import CERTAIN, Direction, direction
from wembed.zoo.lineage.sketch import Sketch, sketch
from wembed.zoo.lineage.traces import Traces, traces
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
        traces: of what was done to it.
    """

    row: CatalogRow
    item: Item
    sketch: Sketch
    traces: Traces


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
            networks.append(Network(row, item, own, traces(own)))
        except WembedError as error:
            unread.append(error)
        progress(done, len(rows))
    return Opened(networks, unread)


class Directions:
    """Which of two networks came first: by what the catalog knows of runs, by the weights, or by date.

    Args:
        networks: that are asked for, by number.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._known: dict[tuple[int, int], Direction] = {}

    def first_of(self, one: int, other: int) -> Direction:
        """Whether the first of two came first."""
        pair = min(one, other), max(one, other)
        if pair not in self._known:
            self._known[pair] = self._found(*(self._networks[number] for number in pair))
        found = self._known[pair]
        return found if pair == (one, other) else found.turned()

    def _found(self, one: Network, other: Network) -> Direction:
        by_run = _by_run(one.row, other.row)
        if by_run:
            return by_run
        found = direction((one.sketch, one.traces), (other.sketch, other.traces))
        return found if found.reason or found.are_siblings else by_date(one.row, other.row)


def by_date(one: CatalogRow, other: CatalogRow) -> Direction:
    """That what was taken in much earlier came first, if anything."""
    dates = [_date(row) for row in (one, other)]
    if dates[0] is None or dates[1] is None or abs(dates[0] - dates[1]) < _APART:
        return Direction(0.0, "")
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
