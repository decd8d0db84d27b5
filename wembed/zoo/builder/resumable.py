"""A manifest in; a zoo of networks that were trained for it out.

The unit of work is a stack of runs: it is trained, its checkpoints are written, then its journal, then its rows. A
build that was killed goes on with the first stack that has no journal, and ends in what an undisturbed one ends in.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from wembed.catalog import CatalogRow, Zoo
from wembed.device import one_thread
from wembed.models import Dataset, load_dataset
from wembed.zoo.builder.journal import Journal, append_missing, read_journals
from wembed.zoo.builder.manifest import BuildManifest
from wembed.zoo.builder.snapshots import SnapshotWriter, check_ids, remove_torn
from wembed.zoo.builder.stack_train import train_stack
from wembed.zoo.builder.stacks import Stack, plan_stacks
from wembed.zoo.progress import Progress, silent

LOCK = "build.lock"


@dataclass(frozen=True)
class BuildOptions:
    """What to build, and who is told.

    Args:
        manifest: the networks.
        seed: of all randomness.
        progress: told how many updates of single networks are done, of how many.
        waiting: told once if another build holds the zoo.
    """

    manifest: BuildManifest
    seed: int
    progress: Progress = silent
    waiting: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class BuiltStack:
    """A finished stack.

    Args:
        stack: which runs.
        rows: of its checkpoints.
        seconds: that it took.
        skipped: whether it was finished before.
    """

    stack: Stack
    rows: tuple[CatalogRow, ...]
    seconds: float
    skipped: bool


def build(zoo: Zoo, options: BuildOptions) -> list[BuiltStack]:
    """Trains what a zoo lacks of a manifest; what is finished is not trained again.

    Args:
        zoo: where it goes; it is made if it isn't there.
        options: what to build.

    Raises:
        UsageError: if an architecture can't take its data set.
        WembedError: if the zoo holds other runs of the same names, or can't be written.
    """
    plan_stacks(options.manifest, options.seed, ())  # what is wrong with the manifest leaves no zoo behind
    zoo = Zoo.create(zoo.root)
    with _alone(zoo, options.waiting):
        stacks = plan_stacks(options.manifest, options.seed, read_journals(zoo))
        check_ids(zoo, {run.name for stack in stacks for run in stack.runs})
        total = sum(stack.model_steps for stack in stacks)
        built: list[BuiltStack] = []
        for stack in stacks:
            done = sum(entry.stack.model_steps for entry in built)
            built.append(_finish(zoo, stack, _after(done, total, options.progress)))
            options.progress(done + stack.model_steps, total)
    return built


def _after(done: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda steps: progress(done + steps, total)


def plan(zoo: Zoo, manifest: BuildManifest, seed: int) -> list[Stack]:
    """The stacks that a build would have, finished ones with their journal; nothing is written.

    Raises:
        UsageError: if an architecture can't take its data set.
        WembedError: if the zoo holds other runs of the same names.
    """
    return plan_stacks(manifest, seed, read_journals(zoo))


def _finish(zoo: Zoo, stack: Stack, on_steps: Callable[[int], None]) -> BuiltStack:
    if stack.journal:
        append_missing(zoo, stack.journal.rows)
        names = {run.name for run in stack.runs}
        return BuiltStack(stack, tuple(row for row in stack.journal.rows if row.run in names), 0.0, True)
    start = time.perf_counter()
    with one_thread():
        rows = _train(zoo, stack, on_steps)
    Journal(stack.name, tuple(run.name for run in stack.runs), stack.recipe, rows).write(zoo)
    append_missing(zoo, rows)
    return BuiltStack(stack, rows, time.perf_counter() - start, False)


def _train(zoo: Zoo, stack: Stack, on_steps: Callable[[int], None]) -> tuple[CatalogRow, ...]:
    run, dataset = stack.runs[0], _dataset(stack.runs[0].group.dataset)
    remove_torn(zoo, {run.name for run in stack.runs})
    snapshots = train_stack(stack.runs, dataset, stack.training, lambda step: on_steps(step * len(stack.runs)))
    writer, added = SnapshotWriter(zoo, run, dataset), datetime.now(UTC).isoformat(timespec="seconds")
    return tuple(writer.write(snapshot, added) for snapshot in snapshots)


@cache
def _dataset(name: str) -> Dataset:
    return load_dataset(name)


@contextmanager
def _alone(zoo: Zoo, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the zoo's build lock, however long another build takes."""
    from filelock import FileLock, Timeout

    lock = FileLock(zoo.root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
