"""What is made in a hidden place takes its name whole or not at all."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wembed.checkpoint import staging
from wembed.checkpoint.staging import staged
from wembed.errors import NotFoundError, UsageError, WembedError


def test_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), staged(tmp_path / "out") as partial:
        partial.mkdir()
        (partial / "file").touch()
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_interrupt_leaves_nothing_and_what_was_there_stays(tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt), staged(out) as partial:
        partial.write_text("new")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "old"


def test_result_takes_its_place(tmp_path):
    with staged(tmp_path / "out") as partial:
        partial.mkdir()
        (partial / "file").write_text("whole")
        assert not (tmp_path / "out").exists()
        assert partial.name.startswith(".")
    assert (tmp_path / "out" / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_file_is_replaced_and_an_empty_folder_filled(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    with staged(tmp_path / "file") as partial:
        partial.write_text("new")
    with staged(tmp_path / "folder") as partial:
        partial.mkdir()
        (partial / "inside").touch()
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "folder" / "inside").exists()


def test_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "inside").touch()
    message = f"{tmp_path}: is a folder that is not empty, expected a new name"
    with pytest.raises(UsageError, match=re.escape(message)), staged(tmp_path):
        pytest.fail("was begun")


def test_missing_folder_is_refused_with_what_makes_it(tmp_path):
    message = f"{tmp_path}/no/out: its folder does not exist"
    with pytest.raises(NotFoundError, match=re.escape(message)) as refused, staged(tmp_path / "no" / "out"):
        pytest.fail("was begun")
    assert refused.value.hint == f"mkdir -p {tmp_path}/no"


def test_full_disk_is_told_in_a_line_and_leaves_nothing(tmp_path):
    message = f"{tmp_path}/out: could not be written: no space left on device"
    with pytest.raises(WembedError, match=re.escape(message)), staged(tmp_path / "out") as partial:
        partial.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_result_reaches_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    synced, sync = [], os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda descriptor: (synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()), sync(descriptor)),
    )
    with staged(tmp_path / "out") as partial:
        partial.mkdir()
        (partial / "file").touch()
    assert synced == [partial / "file", partial, tmp_path]


def test_two_that_make_one_file_do_not_meet(tmp_path):
    with staged(tmp_path / "file") as one, staged(tmp_path / "file") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


KILLED = """
import os, signal, sys
from pathlib import Path
from wembed.checkpoint.staging import staged

with staged(Path(sys.argv[1])) as partial:
    if sys.argv[2] == "folder":
        partial.mkdir()
        partial /= "inside"
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["file", "folder"])
def left(request, tmp_path) -> Path:
    """What a process that was killed has left of `out`."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out"), request.param], check=False)
    (found,) = tmp_path.iterdir()
    assert found.is_dir() == (request.param == "folder")
    return found


def test_what_a_killed_process_has_left_is_removed_by_the_next(left, tmp_path):
    with staged(tmp_path / "out") as partial:
        assert not left.exists()
        partial.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_left_of_another_or_by_another_machine_stays(left, tmp_path, monkeypatch):
    with staged(tmp_path / "ou") as partial:
        partial.touch()
    monkeypatch.setattr(staging.platform, "node", lambda: "elsewhere")
    with staged(tmp_path / "out") as partial:
        partial.touch()
    assert left.exists()


def test_what_a_living_process_makes_stays(left, tmp_path):
    living = left.rename(re.sub(r"-\d+-", f"-{os.getppid()}-", str(left)))
    with staged(tmp_path / "out") as partial:
        partial.touch()
    assert living.exists()


def test_what_nobody_may_remove_stays_in_the_way_of_nothing(left, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patched:
        patched.setattr(staging, "_remove", refuse)
        staging.remove_left(tmp_path / "out")
    assert left.exists()
