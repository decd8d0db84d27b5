"""A manifest in; a zoo of networks that were trained for it out.

The unit of work is a stack of networks: it is made, its checkpoints are written, then its journal, then its rows. A
build that was killed goes on with the stacks that have no journal, and ends in what an undisturbed one ends in.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from wembed.catalog import CatalogRow, Zoo
from wembed.device import CPU, workers_for
from wembed.errors import WembedError
from wembed.zoo.builder.files import check_ids
from wembed.zoo.builder.journal import append_missing, keep_journals, read_journals
from wembed.zoo.builder.manifest import BuildManifest
from wembed.zoo.builder.pool import is_worker, open_pool
from wembed.zoo.builder.records import record_data
from wembed.zoo.builder.stacks import Stack, plan_stacks
from wembed.zoo.builder.work import Order, checkpoint_ids
from wembed.zoo.progress import Progress, silent

LOCK = "build.lock"

# How much longer an update of one network takes than one of an MLP among many, which takes some 40 microseconds.
_COSTS = {"mlp": 1, "cnn": 10}
_COST_ALONE = 100
_WORTH_A_PROCESS = 200_000  # of such updates: a worker takes seconds to start


@dataclass(frozen=True)
class BuildOptions:
    """What to build, on what, and who is told.

    Args:
        manifest: the networks.
        seed: of all randomness.
        jobs: how many processes work at it; None: as many as are worth their start. What they make does not depend on
            their number.
        device: to train on, by torch's name.
        progress: told how many updates of single networks are done, of how many.
        waiting: told once if another build holds the zoo.
    """

    manifest: BuildManifest
    seed: int
    jobs: int | None = None
    device: str = CPU
    progress: Progress = silent
    waiting: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class BuiltStack:
    """A finished stack.

    Args:
        stack: which networks.
        rows: of its checkpoints.
        seconds: from its order to its end, on one of the processes.
        skipped: whether it was finished before.
    """

    stack: Stack
    rows: tuple[CatalogRow, ...]
    seconds: float
    skipped: bool


def build(zoo: Zoo, options: BuildOptions) -> list[BuiltStack]:
    """Makes what a zoo lacks of a manifest; what is finished is not made again.

    Args:
        zoo: where it goes; it is made if it isn't there.
        options: what to build.

    Returns:
        All stacks of the manifest, in its order, which is also that of the catalog.

    Raises:
        UsageError: if an architecture can't take its data set.
        NotFoundError: if a data set is not there.
        WembedError: if the zoo holds other runs of the same names, or can't be written.
    """
    if is_worker():
        hint = 'call it under `if __name__ == "__main__":`, or with jobs=1'
        raise WembedError("a script builds a zoo whenever it is imported, and so do its workers", hint)
    plan_stacks(options.manifest, options.seed, ())  # what is wrong with the manifest leaves no zoo behind
    zoo = Zoo.create(zoo.root)
    with _alone(zoo, options.waiting):
        journals = read_journals(zoo)
        stacks = plan_stacks(options.manifest, options.seed, journals)
        keep_journals(zoo, journals)
        check_ids(zoo, [row_id for stack in stacks if not stack.journal for row_id in checkpoint_ids(stack)])
        record_data(zoo, options.manifest)
        build = _Build(zoo, options, stacks)
        build.run()
        return build.in_order()


def plan(zoo: Zoo, manifest: BuildManifest, seed: int) -> list[Stack]:
    """The stacks that a build would have, finished ones with their journal; nothing is written.

    Raises:
        UsageError: if an architecture can't take its data set.
        NotFoundError: if a data set is not there.
        WembedError: if the zoo holds other runs of the same names.
    """
    return plan_stacks(manifest, seed, read_journals(zoo))


class _Build:
    """The stacks of a build, some done, some being made, some waiting for others."""

    def __init__(self, zoo: Zoo, options: BuildOptions, stacks: Sequence[Stack]) -> None:
        self.zoo, self.options, self.stacks = zoo, options, stacks
        self._built: dict[str, BuiltStack] = {}
        self._last: dict[str, str] = {}  # the id of the last checkpoint of every run that has one, and was not lost
        self._steps = {stack.name: 0 for stack in stacks}
        self._begun: dict[str, float] = {}

    def run(self) -> None:
        """Makes all that isn't there."""
        for stack in self.stacks:
            if stack.journal:
                self._finish(stack, stack.journal.rows, skipped=True)
        waiting = sorted((stack for stack in self.stacks if not stack.journal), key=_cost, reverse=True)
        jobs = jobs_for(waiting, self.options)
        with open_pool(jobs, self._hear) as pool:
            while waiting or pool.free < jobs:
                finished = self._finished_runs()
                for stack in [stack for stack in waiting if stack.needs <= finished][: pool.free]:
                    waiting.remove(stack)
                    self._begun[stack.name] = time.perf_counter()
                    pool.submit(self._order(stack))
                for order, rows in pool.done():
                    self._finish(order.stack, rows, skipped=False)

    def in_order(self) -> list[BuiltStack]:
        """What was built in the order of the manifest; the catalog's rows are brought into the same."""
        built = [self._built[stack.name] for stack in self.stacks]
        self.zoo.put_in_order([row.id for entry in built for row in entry.rows])
        return built

    def _order(self, stack: Stack) -> Order:
        parents = {name: self._last[name] for name in stack.needs if name in self._last}
        file = self.options.manifest.file_of(stack.dataset)
        return Order(self.zoo.root, stack, parents, file, self.options.device)

    def _finish(self, stack: Stack, rows: Sequence[CatalogRow], skipped: bool) -> None:
        own = tuple(row for row in rows if row.run in stack.names)
        append_missing(self.zoo, own)
        seconds = 0.0 if skipped else time.perf_counter() - self._begun[stack.name]
        self._built[stack.name] = BuiltStack(stack, own, seconds, skipped)
        self._last |= {row.run: row.id for row in own if row.run and row.status is None}
        self._hear(stack.name, stack.model_steps)

    def _finished_runs(self) -> frozenset[str]:
        return frozenset(name for entry in self._built.values() for name in entry.stack.names)

    def _hear(self, stack: str, steps: int) -> None:
        self._steps[stack] = steps
        self.options.progress(sum(self._steps.values()), sum(each.model_steps for each in self.stacks))


def jobs_for(stacks: Sequence[Stack], options: BuildOptions) -> int:
    """How many processes work at stacks."""
    cores = workers_for(options.device)
    worth = int(sum(map(_cost, stacks)) // _WORTH_A_PROCESS)
    return max(1, min(options.jobs or min(cores, worth), len(stacks)))


def _cost(stack: Stack) -> float:
    return stack.model_steps * _COSTS.get(stack.group.architecture.kind, _COST_ALONE)


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
