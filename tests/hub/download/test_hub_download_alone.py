"""The lock of a download: one at a time, waited for until somebody ends the waiting, gone when it is released."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from wembed.hub.download.alone import alone, alone_at_once
from wembed.hub.session import StoppedError

ADD_ONE = """
import sys, threading
from pathlib import Path
from wembed.hub.download.alone import alone

folder = Path(sys.argv[1])
for _ in range(40):
    with alone(folder / "lock", threading.Event()):
        number = int((folder / "number").read_text())
        (folder / "number").write_text(str(number + 1))
"""


def test_the_lock_file_is_gone_afterwards(tmp_path):
    with alone(tmp_path / "lock", threading.Event()):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_file_is_gone_after_a_failure(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path / "lock", threading.Event()):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_who_waits_can_be_stopped(tmp_path):
    stop = threading.Event()
    with ThreadPoolExecutor() as pool, alone(tmp_path / "lock", threading.Event()):
        waiting = pool.submit(_wait, tmp_path / "lock", stop)
        stop.set()
        with pytest.raises(StoppedError):
            waiting.result(timeout=10)


def _wait(lock, stop):
    with alone(lock, stop):
        pass


def test_who_does_not_wait_learns_that_it_is_held(tmp_path):
    with alone(tmp_path / "lock", threading.Event()), ThreadPoolExecutor() as pool:
        assert pool.submit(_is_free, tmp_path / "lock").result(timeout=10) is False
    assert _is_free(tmp_path / "lock")


def _is_free(lock):
    with alone_at_once(lock) as is_held:
        return is_held


def test_processes_that_unlink_the_lock_never_hold_it_together(tmp_path):
    (tmp_path / "number").write_text("0")
    workers = [subprocess.Popen([sys.executable, "-c", ADD_ONE, str(tmp_path)]) for _ in range(4)]
    assert [worker.wait(timeout=60) for worker in workers] == [0] * 4
    assert (tmp_path / "number").read_text() == "160"
