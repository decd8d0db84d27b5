"""KnownRows: the rows of a catalog while many are added, read again only where somebody else has changed it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wembed.catalog import CatalogRow, Zoo
from wembed.catalog.zoo import CATALOG


class KnownRows:
    """The rows of a zoo, by id and by path; to be used under its lock, which `open` holds.

    Args:
        zoo: whose rows.
    """

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self._state: tuple[int, int] | None = None
        self.by_id: dict[str, CatalogRow] = {}
        self.by_path: dict[str, CatalogRow] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Holds the catalog's lock, with its rows known."""
        with self._zoo.locked():
            if self._state != self._seen():
                rows = self._zoo.rows()
                self.by_id, self.by_path = {row.id: row for row in rows}, {row.path: row for row in rows}
            yield
            self._state = self._seen()

    def append(self, rows: Sequence[CatalogRow]) -> None:
        """Adds rows, or new versions of rows, see `Zoo.append`."""
        self._zoo.append(rows)
        for row in rows:
            old = self.by_id.get(row.id)
            if old and self.by_path.get(old.path) == old:
                del self.by_path[old.path]
            self.by_id[row.id] = self.by_path[row.path] = row

    def _seen(self) -> tuple[int, int]:
        found = (self._zoo.root / CATALOG).stat()
        return found.st_size, found.st_mtime_ns
