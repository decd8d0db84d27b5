"""A result is at its place whole or not at all, whatever happens on the way."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wembed.checkpoint import find_checkpoints, open_checkpoint
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError, WembedError
from wembed.merging.methods import Combination
from wembed.merging.streamed import Source, staged, write_merged

# Merges two files, and stops for ever once the first tensor is written.
PROGRAM = """
import sys
from pathlib import Path
from wembed.checkpoint import open_checkpoint
from wembed.merging.methods import Combination
from wembed.merging.streamed import Source, write_merged

def stop(done, total):
    print(done, flush=True)
    sys.stdin.read()

sources = [Source(open_checkpoint(Path(path))) for path in sys.argv[2:]]
write_merged(sources, None, Combination(), Path(sys.argv[1]), max_shard_bytes=400_000, progress=stop)
"""


def test_killed_merge_leaves_nothing_that_looks_complete(family, tmp_path):
    place = tmp_path / "outputs"
    place.mkdir()
    command = [sys.executable, "-c", PROGRAM, str(place / "out"), str(family.write(1)), str(family.write(2))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()  # a tensor is written
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    (left,) = place.iterdir()
    assert left.name.startswith(".out")
    assert left.suffix == ".partial"
    assert find_checkpoints(place) == []
    for file in left.iterdir():
        assert file.suffix == ".safetensors"
        with pytest.raises(CheckpointRefusedError, match="corrupt"):
            open_checkpoint(file)


def test_file_is_no_checkpoint_before_all_of_it_is_written(family, tmp_path):
    seen = []

    def look(done, total):
        (partial,) = (path for path in tmp_path.iterdir() if path.name.startswith(".out"))
        seen.append(partial.read_bytes()[:8] == bytes(8))

    sources = [Source(open_checkpoint(family.write(number))) for number in (1, 2)]
    write_merged(sources, None, Combination(), tmp_path / "out.safetensors", progress=look)
    assert seen == [True] * 6


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
