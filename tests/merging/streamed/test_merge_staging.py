"""A result is at its place whole or not at all, whatever happens on the way."""

import signal
import subprocess
import sys

import pytest
from merge_files import write_merged

from wembed.checkpoint import find_checkpoints, open_checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.merging.methods import Combination
from wembed.merging.streamed import Source

# Merges two files, and stops for ever once the first tensor is written.
PROGRAM = """
import sys
from pathlib import Path
from wembed.checkpoint import open_checkpoint
from wembed.merging.methods import Combination
from wembed.checkpoint.staging import staged
from wembed.merging.streamed import Form, Source, write_weights

def stop(done, total):
    print(done, flush=True)
    sys.stdin.read()

sources = [Source(open_checkpoint(Path(path))) for path in sys.argv[2:]]
with staged(Path(sys.argv[1])) as partial:
    partial.mkdir()
    write_weights(sources, None, Combination(), partial, Form(max_shard_bytes=400_000), progress=stop)
"""


def test_killed_merge_leaves_nothing_that_looks_complete_and_the_next_one_nothing_of_it(family, tmp_path):
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
    sources = [Source(open_checkpoint(family.folder / f"{number}-F32.safetensors")) for number in (1, 2)]
    write_merged(sources, None, Combination(), place / "out")
    assert [path.name for path in place.iterdir()] == ["out"]


def test_file_is_no_checkpoint_before_all_of_it_is_written(family, tmp_path):
    seen = []

    def look(done, total):
        (partial,) = (path for path in tmp_path.iterdir() if path.name.startswith(".out"))
        seen.append(partial.read_bytes()[:8] == bytes(8))

    sources = [Source(open_checkpoint(family.write(number))) for number in (1, 2)]
    write_merged(sources, None, Combination(), tmp_path / "out.safetensors", progress=look)
    assert seen == [True] * 6
