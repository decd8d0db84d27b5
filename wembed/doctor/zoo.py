"""A zoo: its catalog, its files, its encoders, and who is at work in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint
from wembed.device import CPU
from wembed.doctor.check import Check, guarded
from wembed.encoder import load_encoder
from wembed.errors import WembedError
from wembed.zoo import Progress, verify

AREA = "zoo"
_MOST_HEADERS = 500  # that are read without --deep
_CONFIG = "config.json"
_MEND = "what came from the Hub is mended by `wembed zoo rm ID` and another pull"


def zoo_health(root: Path, is_deep: bool, progress: Progress) -> Iterator[Check]:
    """How a zoo is.

    Args:
        root: where it is, or may be.
        is_deep: whether every file is read whole and compared with its hash.
        progress: told how many files have been read so.
    """
    if not Zoo.is_zoo(root):
        yield Check(AREA, "catalog", "note", f"no zoo at {root}", "name one with --zoo")
        return
    zoo = Zoo.open(root)
    rows = zoo.rows()
    unusual = sum(row.status is not None for row in rows)
    runs = len({row.run for row in rows if row.run})
    yield Check(AREA, "catalog", "ok", f"{len(rows):,} checkpoints of {runs:,} runs, {unusual:,} unusual, at {root}")
    yield from guarded(AREA, "files", lambda: [_files(zoo, rows)])
    if is_deep:
        yield from guarded(AREA, "hashes", lambda: [_hashes(zoo, progress)])
    else:
        yield from guarded(AREA, "headers", lambda: [_headers(zoo, rows)])
    yield from guarded(AREA, "locks", lambda: _locks(root))
    for folder in sorted(path for path in (root / "encoders").glob("*") if path.is_dir()):
        yield from guarded(AREA, f"encoder {folder.name}", lambda folder=folder: [_encoder(folder)])  # type: ignore[misc]


def _files(zoo: Zoo, rows: Sequence[CatalogRow]) -> Check:
    missing = [row for row in rows if not zoo.path_of(row).exists()]
    if missing:
        first = f"first {missing[0].id!r} at {zoo.path_of(missing[0])}"
        return Check(AREA, "files", "failed", f"{len(missing):,} of {len(rows):,} are missing, {first}", _MEND)
    return Check(AREA, "files", "ok", f"all {len(rows):,} are there")


def _headers(zoo: Zoo, rows: Sequence[CatalogRow]) -> Check:
    """Opens some of the files, spread over the catalog."""
    some = [row for row in rows[:: max(1, -(-len(rows) // _MOST_HEADERS))] if zoo.path_of(row).exists()]
    broken = [said for row in some if (said := _refusal(zoo.path_of(row)))]
    read = f"{len(some):,} of {len(rows):,} read"
    if broken:
        return Check(AREA, "headers", "failed", f"{read}, {len(broken):,} are broken, first {broken[0]}", _MEND)
    return Check(AREA, "headers", "ok", f"{read}, all whole")


def _refusal(path: Path) -> str:
    try:
        open_checkpoint(path)
    except WembedError as error:
        return error.message
    except OSError as error:
        return f"{path}: {(error.strerror or str(error)).lower()}"
    return ""


def _hashes(zoo: Zoo, progress: Progress) -> Check:
    problems = verify(zoo, progress)
    if problems:
        first = f"first {problems[0].id!r}: {problems[0].problem}"
        return Check(AREA, "hashes", "failed", f"{len(problems):,} files are not what they were, {first}", _MEND)
    return Check(AREA, "hashes", "ok", "every file is what it was")


def _locks(root: Path) -> Iterator[Check]:
    from filelock import FileLock, Timeout

    held = []
    for path in sorted(root.glob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            held.append(path.name)
        except OSError:  # a zoo that may not be written to; who can't write isn't in anyone's way
            yield Check(AREA, "locks", "note", f"{path.name} can't be tried, the zoo may not be written to")
            return
    if held:
        hint = "another wembed is at work in the zoo: commands that change it wait for it"
        yield Check(AREA, "locks", "note", f"held are {', '.join(held)}", hint)
    else:
        yield Check(AREA, "locks", "ok", "none is held")


def _encoder(folder: Path) -> Check:
    name = f"encoder {folder.name}"
    if not (folder / _CONFIG).exists():
        return Check(AREA, name, "note", "its training has not come to its end", "`wembed train` goes on with it")
    encoder = load_encoder(folder.name, folder, CPU)
    return Check(AREA, name, "ok", f"{encoder.id}, {encoder.dimension:,} numbers")
