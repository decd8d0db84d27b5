"""A call in; it is made by several processes of this machine, by torch's own launcher, and they end together."""

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children, parent_process, resource_tracker
from multiprocessing.connection import wait
from tempfile import TemporaryDirectory
from typing import TypeVar

from wembed.errors import WembedError

Given = TypeVar("Given")

_LAUNCHED = "WEMBED_LAUNCHED"  # set in processes that `launch` started: it says why they end
_GRACE = 60.0  # seconds that a process whose peers are gone waits to be ended
_SIGNALS = "SIGTERM,SIGHUP,SIGQUIT"  # that torch passes on; processes ignore SIGINT, and would outlive it for long
_HINT = "the same command goes on from the last whole epoch"


class SaidError(WembedError):
    """A process ended with an error that it has told already; `exit_code` is its own."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("a process of the training has said why it ended")
        self.exit_code = exit_code


def launch(processes: int, work: Callable[[Given], None], given: Given) -> None:
    """Calls a function in so many processes of this machine, and waits until all are done.

    Each finds its place by `own_place`. When one ends badly, the others are ended, too.

    Args:
        processes: how many.
        work: a function of a module; in a process that fails it ends with an exit code.
        given: its argument, which can be pickled.

    Raises:
        SaidError: a process ended with an error that it has told.
        WembedError: a process was killed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        with _no_log(), _none_left(), _interrupted_alone(), TemporaryDirectory(prefix="wembed-") as logs:
            _launch(processes, logs)(work, given)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise _ended(rank, processes, failure.exitcode, failure.message, failure.error_file_data) from error
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from error
        raise WembedError(f"training was ended by {error.sigval.name}", _HINT) from error


def _launch(processes: int, logs: str) -> Callable[..., object]:
    """Torch's own launcher of processes, which are given a function and its argument."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=uuid.uuid4().hex, rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", max_restarts=0, start_method="spawn", local_addr="localhost",
        logs_specs=DefaultLogsSpecs(log_dir=logs),
    )  # fmt: skip
    config.signals_to_handle = _SIGNALS  # which an older torch does not look at
    return elastic_launch(config, _start)


@contextmanager
def _interrupted_alone() -> Iterator[None]:
    """A terminal sends SIGINT to all; only this process is told of it, from the first moment of those it starts.

    They inherit that this thread has it blocked. It comes to another thread, and Python raises in the main one.
    """
    resource_tracker.ensure_running()  # started later, it would undo what is blocked here
    done = threading.Event()
    receiver = threading.Thread(target=done.wait, daemon=True)
    receiver.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        done.set()
        receiver.join()


@contextmanager
def _none_left() -> Iterator[None]:
    """Ends what torch does not know of: processes that were being started when a signal came."""
    before = active_children()
    try:
        yield
    finally:
        for process in active_children():
            if process not in before:
                process.kill()
                process.join()


@contextmanager
def _no_log() -> Iterator[None]:
    """Torch logs at length what a line of ours says; this process does nothing else meanwhile."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def is_launched() -> bool:
    """Whether `launch` started this process."""
    return _LAUNCHED in os.environ


def wait_to_be_ended() -> None:
    """Leaves it to the launcher to say who is gone, and to end this process."""
    time.sleep(_GRACE)


def _start(work: Callable[[Given], None], given: Given) -> None:
    os.environ[_LAUNCHED] = "1"
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    work(given)


def _end_with_launcher() -> None:
    """Nobody else would end this process when the launcher is killed, and it would write beside its successors."""
    launcher = parent_process()
    assert launcher is not None  # it was started by another process
    wait([launcher.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


def _ended(rank: int, processes: int, code: int, message: object, told: object) -> Exception:
    if code < 0:
        name = signal.Signals(-code).name
        text = f"process {rank} of {processes} was killed by {name}, so the training has ended"
        return WembedError(text, f"{_HINT}; {name} often means that memory ran out" if code == -9 else _HINT)
    if isinstance(told, dict) and told.get("message") not in (None, "<NONE>"):
        return RuntimeError(str(message))  # ours to mend: a traceback
    return SaidError(code)
