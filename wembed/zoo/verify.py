"""Checking that the files of a zoo are there and are what they were when they were taken in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import HUB_LOCK, CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint
from wembed.errors import NotFoundError, WembedError
from wembed.zoo.progress import Progress, silent
from wembed.zoo.read import as_failure


@dataclass(frozen=True)
class Problem:
    """A row that is no longer right.

    Args:
        id: of the checkpoint.
        path: where it should be.
        problem: what is wrong.
    """

    id: str
    path: Path
    problem: str


def verify(zoo: Zoo, progress: Progress = silent) -> list[Problem]:
    """Reads every file of a zoo again, and gives those whose header or sha256 is wrong, by the catalog or the lock."""
    rows = zoo.rows()
    problems = []
    by_lock = _lock_check(zoo)
    for done, row in enumerate(rows, start=1):
        problem = _problem(zoo.path_of(row), row) or by_lock(row)
        if problem:
            problems.append(Problem(row.id, zoo.path_of(row), problem))
        progress(done, len(rows))
    return problems


def _lock_check(zoo: Zoo) -> Callable[[CatalogRow], str]:
    """What the lock says of a row; of a zoo that pulled nothing it isn't looked for."""
    if not (zoo.root / HUB_LOCK).exists():
        return lambda row: ""
    from wembed.zoo.pull.check import LockCheck

    return LockCheck(zoo).problem


def _problem(path: Path, row: CatalogRow) -> str:
    try:
        found = open_checkpoint(path).file_hash()
    except NotFoundError:
        return "missing"
    except WembedError as error:
        return error.message
    except OSError as error:
        return as_failure(path, error).message
    return "" if found == row.sha256 else f"sha256 is {found}, expected {row.sha256}"
