"""Builds that are killed, that run beside each other, or that find the disk full: what is left, and how they go on."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.catalog.manifest import load_manifest
from wembed.zoo import verify
from wembed.zoo.builder import BuildManifest, BuildOptions, build

TINY = """
name: tiny
training: {snapshots: [20, 60]}
twins: {order: 1}
children: {data: 1, noise: 1, permuted: 1, merged: 1, steps: 30}
groups:
  - {dataset: digits, architecture: {kind: mlp, hidden: [8]}, runs: 6}
  - {dataset: digits, architecture: {kind: cnn, hidden: [4, 4], norm: batch}, runs: 4}
  - {dataset: digits, architecture: {kind: resnet, widths: [4], blocks: 1}, runs: 2, children: {merged: 0}}
"""


LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
os.execv(sys.argv[1], sys.argv[1:])
"""


def start(zoo: Path, manifest: str, *more: str, file_limit: int | None = None) -> subprocess.Popen:
    """A build in a session of its own; no file that it writes may have more bytes than the limit."""
    wembed = str(Path(sys.executable).with_name("wembed"))
    command = [wembed, "zoo", "build", manifest, "--zoo", str(zoo), "--json", *more]
    if file_limit:
        command = [sys.executable, "-c", LIMITED.format(file_limit), *command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, start_new_session=True, **pipes)


def finish(process: subprocess.Popen) -> str:
    out, error = process.communicate(timeout=3000)
    assert process.returncode == 0, error
    return out


def contents(zoo: Path) -> list[tuple[str, str, float | None]]:
    return [(row.id, row.content, row.accuracy) for row in Zoo.open(zoo).rows()]


def check_what_is_left(zoo: Path) -> list[CatalogRow]:
    """Nothing half-written is listed, and what is listed is whole."""
    if not Zoo.is_zoo(zoo):
        return []
    opened = Zoo.open(zoo)
    assert not verify(opened)
    return opened.rows()


def workers_of(session: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def wait_until_gone(session: int) -> None:
    deadline = time.monotonic() + 20
    while workers_of(session):
        assert time.monotonic() < deadline, "workers outlive the build that was killed"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("manifest") / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(scope="module")
def undisturbed(manifest, tmp_path_factory) -> list[tuple[str, str, float | None]]:
    zoo = tmp_path_factory.mktemp("undisturbed") / "zoo"
    build_here(zoo, manifest)
    return contents(zoo)


def build_here(zoo: Path, manifest: str) -> None:
    loaded = load_manifest(manifest, BuildManifest)
    build(Zoo(zoo), BuildOptions(loaded, loaded.seed, 1))


def kill_at_random(zoo: Path, manifest: str, kills: int, longest: float, seed: int, *more: str) -> list[int]:
    """Kills the builder, but not its workers, again and again; gives how many rows there were each time."""
    moments, rows = random.Random(seed), []
    for _ in range(kills):
        process = start(zoo, manifest, *more)
        try:
            process.communicate(timeout=moments.uniform(1.0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        wait_until_gone(process.pid)
        rows.append(len(check_what_is_left(zoo)))
    assert rows == sorted(rows)
    return rows


def test_a_killed_build_goes_on_to_the_same_zoo(manifest, undisturbed, tmp_path):
    rows = kill_at_random(tmp_path / "zoo", manifest, 2, 10.0, 0, "--jobs", "2")
    build_here(tmp_path / "zoo", manifest)
    assert contents(tmp_path / "zoo") == undisturbed, f"killed with {rows} rows"
    assert not list((tmp_path / "zoo" / "checkpoints").glob(".*"))


def test_two_builds_at_once_make_one_zoo(manifest, undisturbed, tmp_path):
    both = [start(tmp_path / "zoo", manifest, "--jobs", "2") for _ in range(2)]
    printed = [json.loads(finish(process)) for process in both]
    assert sorted(all(stack["skipped"] for stack in stacks) for stacks in printed) == [False, True]
    assert contents(tmp_path / "zoo") == undisturbed


def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(manifest, undisturbed, tmp_path):
    # Checkpoints of some kinds have more bytes, and the catalog soon does.
    limited = start(tmp_path / "zoo", manifest, "--jobs", "2", file_limit=9_000)
    error = json.loads(limited.communicate(timeout=300)[1])
    assert limited.returncode == 1
    assert re.search(r"cannot write|could not be written", error["error"])
    check_what_is_left(tmp_path / "zoo")
    build_here(tmp_path / "zoo", manifest)
    assert contents(tmp_path / "zoo") == undisturbed


def test_ctrl_c_ends_all_processes_and_says_nothing_else(manifest, undisturbed, tmp_path):
    process = start(tmp_path / "zoo", manifest, "--jobs", "2")
    time.sleep(6)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers hear it too
    out, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert out == ""
    wait_until_gone(process.pid)
    check_what_is_left(tmp_path / "zoo")


def test_a_killed_worker_is_one_line(manifest, tmp_path):
    process = start(tmp_path / "zoo", manifest, "--jobs", "2")
    deadline = time.monotonic() + 30
    while len(workers_of(process.pid)) < 4:  # the builder, two workers and what tracks their resources
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    for worker in workers_of(process.pid):
        if worker != process.pid and b"spawn_main" in Path(f"/proc/{worker}/cmdline").read_bytes():
            os.kill(worker, signal.SIGKILL)
            break
    error = json.loads(process.communicate(timeout=60)[1])
    assert process.returncode == 1
    assert error["error"].startswith("a worker ended while it made ")
    check_what_is_left(tmp_path / "zoo")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed", "families"])
def test_twenty_kills_at_random_moments_change_nothing(name, tmp_path):
    size = ("--num-models", "40" if name == "mixed" else "8")
    begun = time.monotonic()
    finish(start(tmp_path / "undisturbed", name, *size))
    longest = max(15.0, (time.monotonic() - begun) * 0.6)
    rows = kill_at_random(tmp_path / "zoo", name, 20, longest, 1, *size)
    finish(start(tmp_path / "zoo", name, *size))
    assert contents(tmp_path / "zoo") == contents(tmp_path / "undisturbed")
    assert not check_what_is_left(tmp_path / "zoo")[0].status
    print(f"{name}: rows after each kill {rows}")  # noqa: T201
