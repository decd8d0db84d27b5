"""How long a download of 1 GB takes, against curl and sha256sum on the same file, and how much memory."""

import hashlib
import random
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest
from downloading import finish, start_download
from file_server import FileServer

from wembed.hub.repository import RemoteFile

BLOCK = 1 << 24  # bytes

pytestmark = pytest.mark.slow


def _write(path, blocks: int) -> RemoteFile:
    data, digest = random.Random(blocks).randbytes(BLOCK), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(blocks):
            file.write(data)
            digest.update(data)
    return RemoteFile("model.safetensors", blocks * BLOCK, sha256=digest.hexdigest())


@pytest.fixture
def room(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)  # gigabytes


def _seconds_of_curl(url: str, target) -> float:
    begin = time.perf_counter()
    subprocess.run(["curl", "--silent", "--noproxy", "*", "-o", target, url], check=True)
    subprocess.run(["sha256sum", target], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    target.unlink()
    return seconds


def _download(url: str, file: RemoteFile, room) -> dict:
    found = finish(start_download(url, file, room / "model", room / "downloads"))
    assert found["sha256"] == file.sha256
    (room / "model").unlink()
    return found


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sha256sum")), reason="no curl or sha256sum")
def test_a_download_takes_at_most_1_3_times_what_curl_and_sha256sum_take(room, record_property):
    file = _write(room / "content", 64)
    ratios = []
    with FileServer(room / "content") as server:
        for _ in range(5):
            seconds = _download(server.url, file, room)["seconds"]
            ratios.append(seconds / _seconds_of_curl(server.url, room / "curl"))
            record_property("hub: seconds for 1 GB", seconds)
    record_property("hub: time of a download against curl and sha256sum", statistics.median(ratios))
    assert statistics.median(ratios) <= 1.3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system doesn't tell a process's peak memory")
def test_memory_does_not_grow_with_the_file(room, record_property):
    peaks = []
    for blocks in (4, 64):
        file = _write(room / "content", blocks)
        with FileServer(room / "content") as server:
            peaks.append(_download(server.url, file, room)["peak_kb"] / 1000)
    record_property("hub: peak memory for 64 MB, in MB", peaks[0])
    record_property("hub: peak memory for 1 GB, in MB", peaks[1])
    assert peaks[1] - peaks[0] < 10
