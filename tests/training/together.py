"""What the processes of a test do: they are started by import, so it can't stand in the test itself."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from wembed.catalog import CatalogRow, Zoo
from wembed.training import TrainOptions, select_data, train
from wembed.training.distributed import PeerLostError, joined, own_place, speaks_first
from wembed.training.runner import Runner
from wembed.zoo import open_items

KILLED_AFTER = 2  # epochs


@dataclass(frozen=True)
class Task:
    """Trainings of some zoo.

    Args:
        root: of the zoo.
        folder: what for each of the options goes into.
        options: by name.
    """

    root: Path
    folder: Path
    options: dict[str, TrainOptions]


def train_each(task: Task) -> None:
    """Trains together with the other processes, and notes what this one has read and what it has ended with."""
    with joined(own_place(os.environ), "cpu") as ranks:
        _train_each(task, ranks.rank)


def train_and_be_killed(task: Task) -> None:
    """Does that, then begins another training, in whose third epoch the second process is killed."""
    with joined(own_place(os.environ), "cpu") as ranks:
        _train_each(task, ranks.rank)
        rows = Zoo.open(task.root).rows()
        options = next(iter(task.options.values()))

        def kill(done: int, total: int) -> None:
            is_training = total > len(rows)
            if ranks.rank == 1 and is_training and done / total > (KILLED_AFTER + 0.5) / options.num_epochs:
                os.kill(os.getpid(), signal.SIGKILL)

        data = select_data(rows, options)
        try:
            train(data, lambda rows: open_items(Zoo.open(task.root), rows), options, task.folder / "killed", kill)
        except PeerLostError:
            signal.pause()  # as the command does: the launcher says who is gone


def refused(code: int) -> None:
    """All processes fail in the same way; each notes whether it is the one that says so."""
    with joined(own_place(os.environ), "cpu") as ranks:
        ranks.wait()
        Path(f"said-{ranks.rank}").write_text(str(speaks_first()))
        ranks.wait()
        raise SystemExit(code)


@contextmanager
def networks_run() -> Iterator[list[int]]:
    """How many networks this process runs, piece by piece."""
    counts: list[int] = []
    found = Runner.found

    def counted(runner, piece, objective):
        counts.append(len(piece.places))
        return found(runner, piece, objective)

    Runner.found = counted
    try:
        yield counts
    finally:
        Runner.found = found


def _train_each(task: Task, rank: int) -> None:
    for name, options in task.options.items():
        read: list[str] = []
        with networks_run() as run:
            done = _trained(task, name, options, read)
        history = [asdict(epoch) for epoch in done.history]
        noted = {"read": read, "run": sum(run), "history": history, "id": done.encoder.id}
        (task.folder / f"{name}-{rank}.json").write_text(json.dumps(noted))
        torch.save(done.encoder.module.state_dict(), task.folder / f"{name}-{rank}.pt")


def _trained(task: Task, name: str, options: TrainOptions, read: list[str]):
    zoo = Zoo.open(task.root)

    def open_and_note(rows: list[CatalogRow]):
        return [(_Noted(item[0], row.id, read), item[1]) for item, row in zip(open_items(zoo, rows), rows, strict=True)]

    return train(select_data(zoo.rows(), options), open_and_note, options, task.folder / name)


class _Noted:
    """A checkpoint that notes when a weight of it is read."""

    def __init__(self, checkpoint, id: str, read: list[str]) -> None:
        self._checkpoint, self._id, self._read = checkpoint, id, read

    def read(self, name: str):
        if self._id not in self._read:
            self._read.append(self._id)
        return self._checkpoint.read(name)

    def __getattr__(self, name: str):
        return getattr(self._checkpoint, name)
