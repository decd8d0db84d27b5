"""What `wembed train` asks for in; a training in this process, or as one of many that share it, out."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.cli.output import Output, Row
from wembed.errors import WembedError

if TYPE_CHECKING:
    from wembed.training import Epoch, Trained, TrainOptions
    from wembed.training.distributed.placement import Placement

COLUMNS = ("encoder", "model_type", "runs", "checkpoints", "epochs", "best_epoch", "validation_loss", "seconds", "path")


@dataclass(frozen=True)
class Asked:
    """What is to be trained.

    Args:
        zoo: on what.
        name: of the encoder.
        options: how.
        output: where it is said.
    """

    zoo: Path
    name: str
    options: "TrainOptions"
    output: Output


def run(asked: Asked, placement: "Placement") -> None:
    """Trains here, as one of the processes that a launcher has started, or in processes that are started now."""
    from wembed.training.distributed.launch import SaidError, launch

    if placement.place is not None:
        train_together(asked)
    elif placement.processes == 1:
        train_here(asked, asked.output.warn)
    else:
        try:
            with _line_cleared():
                launch(placement.processes, train_together, asked)
        except SaidError as error:
            raise SystemExit(error.exit_code) from error


def train_together(asked: Asked) -> None:
    """Trains as one of many processes; the first one alone writes and speaks."""
    from wembed.training.distributed import joined, own_place
    from wembed.training.distributed.placement import device_of

    place = own_place(os.environ)
    assert place is not None  # a launcher started it
    device = device_of(place, asked.options.device.partition(":")[0])
    with said_by_each(asked.output), joined(place, device, asked.output.note) as ranks, said_once(asked.output):
        output = asked.output if ranks.is_first else _Silent("ids", quiet=True)

        def warn(text: str) -> None:
            asked.output.warn(f"process {ranks.rank}: {text}")  # what one alone may have met

        train_here(replace(asked, output=output, options=replace(asked.options, device=device)), warn)


def train_here(asked: Asked, warn: Callable[[str], None]) -> None:
    """Trains and says what came of it.

    Args:
        asked: what.
        warn: told what this process has done otherwise than asked for.
    """
    from wembed.catalog import Zoo
    from wembed.training import epochs_before, select_data, train
    from wembed.zoo import open_items

    output, options, opened = asked.output, asked.options, Zoo.open(asked.zoo)
    data = select_data(opened.rows(), options)
    if data.structure:
        known = f"{options.model_type} knows one structure only, {data.structure}"
        output.note(f"{known}: the one that most training runs have")
    folder = opened.root / "encoders" / asked.name
    if before := epochs_before(folder, data, options):
        output.note(f"{folder.name} goes on after epoch {before} of a training that was stopped")
    with output.progress("training") as progress:  # first over the networks that are read, then over those of epochs
        done = train(data, lambda rows: open_items(opened, rows), options, folder, progress, warn=warn)
    if not done.is_new:
        output.note(f"{folder.name} is there already, trained with these options on these runs")
    output.notices(folder.name, done.notices)
    if done.stopped:
        output.warn(done.stopped)
    output.rows([_row(done, options.model_type)], COLUMNS)
    output.next_command("evaluate", zoo=asked.zoo)


class _Silent(Output):
    """Of a process that others speak for."""

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Writes nothing."""

    def warn(self, text: str) -> None:
        """Says nothing."""


@contextmanager
def said_once(output: Output) -> Iterator[None]:
    """Ends a process with the exit code of its error, which one of the processes says."""
    from wembed.training.distributed import PeerLostError, speaks_first
    from wembed.training.distributed.launch import is_launched, wait_to_be_ended

    try:
        yield
    except (WembedError, OSError) as error:
        if isinstance(error, PeerLostError) and is_launched():
            wait_to_be_ended()
        elif speaks_first():
            output.failure(_told(error))
        raise SystemExit(_told(error).exit_code) from error


@contextmanager
def said_by_each(output: Output) -> Iterator[None]:
    """The same for what one process alone may fail in, which nobody else could say."""
    try:
        yield
    except (WembedError, OSError) as error:
        output.failure(_told(error))
        raise SystemExit(_told(error).exit_code) from error


def _told(error: WembedError | OSError) -> WembedError:
    return error if isinstance(error, WembedError) else WembedError(f"{error.filename}: {error.strerror}")


@contextmanager
def _line_cleared() -> Iterator[None]:
    """What is said of processes that were ended has a line of its own: their bar stays, and the cursor hidden."""
    try:
        yield
    except BaseException:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.control import Control
            from rich.segment import ControlType

            erased = (ControlType.ERASE_IN_LINE, 2)
            Console(stderr=True).control(Control(ControlType.CARRIAGE_RETURN, erased, ControlType.SHOW_CURSOR))
        raise


def _row(done: "Trained", model_type: str) -> dict[str, object]:
    best: Epoch | None = next((epoch for epoch in reversed(done.history) if epoch.best), None)
    return {
        "encoder": done.folder.name,
        "model_type": model_type,
        "runs": len(done.data.runs(done.data.rows)),
        "checkpoints": len(done.data.rows),
        "epochs": len(done.history),
        "best_epoch": best.epoch if best else None,
        "validation_loss": best.validation_loss if best else None,
        "seconds": done.history[-1].seconds if done.history else 0.0,
        "path": done.folder,
    }
