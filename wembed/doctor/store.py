"""The tables of embeddings, on a disk or an object store."""

from collections.abc import Iterator
from pathlib import Path

from wembed.catalog import Zoo
from wembed.device import CPU
from wembed.doctor.check import Check, guarded
from wembed.encoder import DEFAULT_ENCODER
from wembed.store import is_remote
from wembed.store.place import open_dataset
from wembed.zoo import find_encoder, open_table

AREA = "store"
_TABLES = "*.lance"


def store_health(root: Path, store: str | None) -> Iterator[Check]:
    """How many embeddings each table has, and whether it can be read.

    Args:
        root: of the zoo.
        store: where the tables are; None for the zoo's own.
    """
    if store and is_remote(store):
        yield from _remote(root, store)
        return
    folder = Path(store) if store else root / "embeddings"
    tables = sorted(folder.glob(_TABLES))
    if not tables:
        yield Check(AREA, "tables", "note", f"nothing is embedded yet at {folder}", "`wembed embed` embeds the zoo")
    for table in tables:
        yield from guarded(AREA, table.stem, lambda table=table: [_table(table)])  # type: ignore[misc]


def _table(table: Path) -> Check:
    return Check(AREA, table.stem, "ok", f"{open_dataset(str(table)).count_rows():,} embeddings")


def _remote(root: Path, store: str) -> Iterator[Check]:
    """What can't be listed everywhere: the tables of the encoders that are known."""
    zoo = Zoo.open(root) if Zoo.is_zoo(root) else None
    own = sorted(path.parent.name for path in (root / "encoders").glob("*/config.json"))
    for name in (DEFAULT_ENCODER, *own):
        yield from guarded(AREA, name, lambda name=name: [_of_encoder(name, zoo, store)])  # type: ignore[misc]


def _of_encoder(name: str, zoo: Zoo | None, store: str) -> Check:
    table = open_table(zoo, find_encoder(name, zoo, CPU), store)
    count = table.count() if table else 0
    return Check(AREA, name, "ok" if count else "note", f"{count:,} embeddings at {store}")
