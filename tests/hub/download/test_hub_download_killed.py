"""Downloads that are killed at random moments: the next one asks for the first byte that is not on disk."""

import hashlib
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from downloading import finish, start_download
from file_server import FileServer

from wembed.hub.repository import RemoteFile

MB = 1_000_000
SOON = 0.3  # seconds in which a download has read again what is on disk, and asked for more


@dataclass
class Scene:
    """A file to be fetched, and where to.

    Args:
        server: that sends it.
        file: as listed.
        folder: of the zoo.
    """

    server: FileServer
    file: RemoteFile
    folder: Path

    @property
    def target(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def partials(self) -> Path:
        return self.folder / "downloads"

    @property
    def on_disk(self) -> int:
        return sum(part.stat().st_size for part in self.partials.glob("*.part"))

    def start(self):
        return start_download(self.server.url, self.file, self.target, self.partials)

    def check_target(self) -> None:
        assert hashlib.sha256(self.target.read_bytes()).hexdigest() == self.file.sha256


def _scene(tmp_path: Path, size: int, rate: float) -> Scene:
    content = tmp_path / "content"
    content.write_bytes(random.Random(size).randbytes(size))
    sha256 = hashlib.sha256(content.read_bytes()).hexdigest()
    return Scene(FileServer(content, rate=rate), RemoteFile("model.safetensors", size, sha256=sha256), tmp_path / "zoo")


def _kill_after_bytes(scene: Scene, most: int, randomness: random.Random) -> None:
    some = randomness.randint(1, max(1, min(most, scene.file.size - scene.on_disk - 1)))
    process = scene.start()
    try:
        scene.server.wait_for(scene.server.sent_bytes + some)
    finally:
        _kill(process)


def _kill_after_seconds(scene: Scene, most: float, randomness: random.Random) -> None:
    process = scene.start()
    process.stdout.readline()
    time.sleep(randomness.uniform(0, most))
    _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _fetched_again(scene: Scene, before: int, asked_before: int) -> int:
    """How many bytes that were on disk the last process has asked for again."""
    starts = scene.server.starts[asked_before:]
    assert len(starts) <= 1
    return max((before - start for start in starts), default=0)


def test_a_killed_download_goes_on_where_it_was(tmp_path, record_property):
    scene, randomness = _scene(tmp_path, 12 * MB, rate=40 * MB), random.Random(7)
    again = 0
    with scene.server:
        for _ in range(4):
            before, asked = scene.on_disk, len(scene.server.starts)
            _kill_after_bytes(scene, 2 * MB, randomness)
            assert not scene.target.exists()
            again = max(again, _fetched_again(scene, before, asked))
        before = scene.on_disk
        finish(scene.start())
    assert (before > 0, scene.server.starts[-1]) == (True, before)
    scene.check_target()
    assert list(scene.partials.iterdir()) == []
    assert again == 0
    record_property("hub: bytes on disk that are fetched again after kill -9", float(again))


@pytest.mark.slow
def test_thirty_kills_at_random_moments_lose_nothing(tmp_path, record_property):
    scene, randomness, again, finished = _scene(tmp_path, 64 * MB, rate=40 * MB), random.Random(30), 0, 0
    with scene.server:
        for kill in range(30):
            before, asked = scene.on_disk, len(scene.server.starts)
            if kill % 2 or before == scene.file.size:
                _kill_after_seconds(scene, SOON, randomness)
            else:
                _kill_after_bytes(scene, 4 * MB, randomness)
            again = max(again, _fetched_again(scene, before, asked))
            if scene.target.exists():  # whole, since it's there
                scene.check_target()
                scene.target.unlink()
                finished += 1
        finish(scene.start())
    scene.check_target()
    assert list(scene.partials.iterdir()) == []
    assert again == 0
    record_property("hub: bytes on disk that are fetched again after 30 kills", float(again))
    record_property("hub: requests of 30 killed downloads", float(len(scene.server.starts)))
    record_property("hub: times that the file was whole before the kill", float(finished))


def test_two_processes_fetch_the_same_file_once(tmp_path):
    scene = _scene(tmp_path, 4 * MB, rate=8 * MB)
    with scene.server:
        processes = [scene.start() for _ in range(2)]
        assert [finish(process)["sha256"] for process in processes] == [scene.file.sha256] * 2
    assert scene.server.starts == [0]
    assert list(scene.partials.iterdir()) == []


def test_who_waits_goes_on_where_the_killed_one_was(tmp_path):
    scene = _scene(tmp_path, 4 * MB, rate=MB / 2)
    with scene.server:
        first = scene.start()
        scene.server.wait_for(MB)
        second = scene.start()
        second.stdout.readline()
        _kill(first)
        before, scene.server.rate = scene.on_disk, None
        assert finish(second)["sha256"] == scene.file.sha256
    assert scene.server.starts == [0, before]
    assert list(scene.partials.iterdir()) == []
