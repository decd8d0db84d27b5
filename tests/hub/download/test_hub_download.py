"""A file of the Hub that is fetched: whole and checked, or not at all."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from file_server import Answer, FileServer
from remote import CONTENT, CUT, GIT, LARGE, REPOSITORY, SHA256, SIZE, SMALL, UNHASHED, leave

from wembed.errors import CheckpointRefusedError, HubError, WembedError
from wembed.hub.download import download
from wembed.hub.download.room import claimed
from wembed.hub.repository import RemoteFile
from wembed.hub.session import Hub, HubOptions, StoppedError


@pytest.mark.parametrize("file", [LARGE, SMALL, UNHASHED], ids=["sha256", "git hash", "no hash"])
def test_a_file_is_fetched_whole(content, fetch, target, partials, file):
    with FileServer(content) as server:
        assert fetch(server, file) == SHA256
    assert target.read_bytes() == CONTENT
    assert list(partials.iterdir()) == []


def test_the_bytes_are_synced_before_they_are_at_their_place_and_the_folder_after(content, fetch, target, monkeypatch):
    steps, sync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda of: steps.append(("sync", os.fstat(of).st_ino)) or sync(of))
    monkeypatch.setattr(Path, "replace", lambda part, to: steps.append(("move", to)) or replace(part, to))
    with FileServer(content) as server:
        fetch(server)
    assert steps == [("sync", target.stat().st_ino), ("move", target), ("sync", target.parent.stat().st_ino)]


def test_progress_is_told_from_what_is_there_to_the_end(content, target, partials):
    leave(partials, CONTENT[:CUT])
    heard = []
    with FileServer(content) as server:
        download(Hub(HubOptions(endpoint=server.url)), REPOSITORY, LARGE, target, partials, heard.append)
    assert (heard[0], heard[-1], sorted(heard)) == (CUT, SIZE, heard)


def test_an_empty_file_needs_no_request(content, fetch, target, partials):
    nothing = hashlib.sha256(b"").hexdigest()
    with FileServer(content) as server:
        assert fetch(server, RemoteFile("empty", 0, sha256=nothing)) == nothing
    assert (target.read_bytes(), list(partials.iterdir()), server.starts) == (b"", [], [])


def test_a_file_that_is_there_is_not_fetched(content, fetch, target, partials):
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    leave(partials, CONTENT[:CUT])
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (server.starts, list(partials.iterdir())) == ([], [])


@pytest.mark.parametrize("other", [b"other", bytes(SIZE)], ids=["size", "hash"])
def test_another_file_that_is_there_is_replaced(content, fetch, target, other):
    target.parent.mkdir(parents=True)
    target.write_bytes(other)
    with FileServer(content) as server:
        fetch(server)
    assert target.read_bytes() == CONTENT


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 307200\n"
PAGE = b"<!doctype html><title>Sign in</title>"


@pytest.mark.parametrize("instead", [POINTER, PAGE], ids=["git-lfs pointer", "page"])
def test_something_else_of_another_size_is_refused(content, fetch, target, partials, tmp_path, instead):
    other = tmp_path / "other"
    other.write_bytes(instead)
    found = rf"^org/name/model\.safetensors: the Hub sends a file of {len(instead)} bytes, and lists 307200$"
    with FileServer(content, [Answer(content=other)] * 4) as server, pytest.raises(HubError, match=found):
        fetch(server)
    assert (target.exists(), list(partials.iterdir())) == (False, [])


@pytest.mark.parametrize(
    ("file", "expected"), [(LARGE, f"sha256 is .*, expected {SHA256}"), (SMALL, f"git blob hash is .*, expected {GIT}")]
)
def test_other_bytes_of_the_same_size_are_refused(content, fetch, target, partials, file, expected):
    content.write_bytes(CONTENT[::-1])
    with (
        FileServer(content) as server,
        pytest.raises(CheckpointRefusedError, match=rf"^org/name/{file.path}: {expected}$"),
    ):
        fetch(server, file)
    assert (server.starts, target.exists(), list(partials.iterdir())) == ([0], False, [])


def test_a_person_can_end_it_and_what_is_there_stays(content, fetch, target, partials):
    with FileServer(content) as server, pytest.raises(StoppedError):
        hub = Hub(HubOptions(endpoint=server.url))
        download(hub, REPOSITORY, LARGE, target, partials, lambda on_disk: on_disk and hub.stop.set())
    left = sum(part.stat().st_size for part in partials.glob("*.part"))
    assert {path.suffix for path in partials.iterdir()} == {".part", ".json"}
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (0 < left < SIZE, server.starts) == (True, [left])


def test_a_download_that_was_ended_before_asks_for_nothing(content, fetch, partials):
    stop = threading.Event()
    stop.set()
    with FileServer(content) as server, pytest.raises(StoppedError):
        fetch(server, stop=stop)
    assert (server.starts, list(partials.iterdir())) == ([], [])


def test_two_that_fetch_the_same_file_fetch_it_once(content, fetch, target, partials):
    with FileServer(content, rate=1e7) as server, ThreadPoolExecutor() as pool:
        both = [pool.submit(fetch, server) for _ in range(2)]
        assert [each.result(timeout=10) for each in both] == [SHA256] * 2
    assert (server.starts, list(partials.iterdir())) == ([0], [])


def test_no_room_is_said_before_a_byte_is_asked_for(content, fetch, partials, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": SIZE - 1}))
    with (
        FileServer(content) as server,
        pytest.raises(WembedError, match="307200 more bytes are needed, 307199 are"),
    ):
        fetch(server)
    assert (server.starts, list(partials.iterdir())) == ([], [])


def test_what_is_written_already_leaves_room_to_others(content, target, partials, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": SIZE}))

    def claim_all_when_done(on_disk):
        if on_disk == SIZE:
            with claimed("another file", partials, SIZE):
                pass

    with FileServer(content) as server:
        download(Hub(HubOptions(endpoint=server.url)), REPOSITORY, LARGE, target, partials, claim_all_when_done)


def test_what_is_there_needs_no_more_room(content, fetch, partials, monkeypatch):
    leave(partials, CONTENT[:CUT])
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": SIZE - CUT}))
    with FileServer(content) as server:
        assert fetch(server) == SHA256


def test_a_name_with_control_characters_does_not_reach_a_message(content, fetch):
    with FileServer(content) as server, pytest.raises(WembedError) as caught:
        content.write_bytes(CONTENT[::-1])
        fetch(server, RemoteFile("a\x1b[31mb", SIZE, sha256=SHA256))
    assert caught.value.message.isprintable()
