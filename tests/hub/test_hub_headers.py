"""Headers of weights that are not here, by ranged reads of a server on loopback."""

import hashlib
import json

import numpy as np
import pytest
from hub_server import Refusal
from safetensors.numpy import save_file

from wembed.checkpoint.header import read_header
from wembed.errors import CheckpointRefusedError, HubError, NotFoundError
from wembed.hub.headers import FIRST_BYTES, MAX_SMALL_BYTES, remote_header, small_file
from wembed.hub.listing import find_repository
from wembed.hub.repository import RemoteFile
from wembed.hub.session import Hub, HubOptions

NAME = "org/bert"
WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr("wembed.hub.session.FIRST_WAIT", 0.001)


@pytest.fixture
def folder(hub_root):
    folder = hub_root / NAME
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def server(folder, hub_server):
    return hub_server()


@pytest.fixture
def hub(server):
    return Hub(HubOptions(endpoint=server.url, retries=2, timeout=2))


def write_small(folder):
    save_file({"w": np.zeros((500, 500), np.float32), "b": np.zeros(500, np.float32)}, folder / WEIGHTS)


def write_with_long_header(folder):
    """2000 tensors, whose header does not fit into the first read."""
    tensors = {f"layer.{number:04d}.weight": np.zeros(number % 3, np.float32) for number in range(2000)}
    save_file(tensors, folder / WEIGHTS)
    assert int.from_bytes((folder / WEIGHTS).read_bytes()[:8], "little") > FIRST_BYTES


def header_of(hub, name=WEIGHTS):
    repository = find_repository(hub, NAME)
    return remote_header(hub, repository, next(file for file in repository.files if file.path == name))


def sent_of(server):
    return [(request.range, request.sent) for request in server.requests("/resolve/")]


def message_of(hub, error=CheckpointRefusedError):
    with pytest.raises(error) as caught:
        header_of(hub)
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize("write", [write_small, write_with_long_header])
def test_the_header_is_the_one_that_is_read_on_disk(folder, hub, write):
    write(folder)
    assert header_of(hub) == read_header(folder / WEIGHTS)


def test_a_short_header_takes_one_read(folder, server, hub):
    write_small(folder)
    header_of(hub)
    assert sent_of(server) == [(f"bytes=0-{FIRST_BYTES - 1}", FIRST_BYTES)]


def test_a_long_header_takes_two_reads_and_no_byte_of_the_data(folder, server, hub):
    write_with_long_header(folder)
    header_of(hub)
    end = 8 + int.from_bytes((folder / WEIGHTS).read_bytes()[:8], "little")
    assert sent_of(server) == [
        (f"bytes=0-{FIRST_BYTES - 1}", FIRST_BYTES),
        (f"bytes={FIRST_BYTES}-{end - 1}", end - FIRST_BYTES),
    ]


def test_a_file_smaller_than_the_first_read_is_read_whole(folder, server, hub):
    save_file({"b": np.zeros(5, np.float32)}, folder / WEIGHTS)
    assert header_of(hub).tensors["b"].shape == (5,)
    assert sent_of(server)[0][1] == (folder / WEIGHTS).stat().st_size


def test_a_server_that_ignores_ranges_is_left_early(folder, server, hub):
    write_with_long_header(folder)
    with (folder / WEIGHTS).open("r+b") as file:
        text = file.read()
        length = int.from_bytes(text[:8], "little")
        header = json.loads(text[8 : 8 + length])
        end = max(entry["data_offsets"][1] for entry in header.values() if "data_offsets" in entry)
        header["large"] = {"dtype": "U8", "shape": [2**30], "data_offsets": [end, end + 2**30]}
        text = json.dumps(header).encode()
        file.seek(0)
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end + 2**30)
    siblings = [{"rfilename": WEIGHTS, "size": (folder / WEIGHTS).stat().st_size}]
    server.claimed(NAME).listing = siblings  # hashing a GB would take seconds
    server.faults.ignore_range = True
    assert header_of(hub).tensors["large"].size == 2**30
    server.faults.ignore_range = False
    assert len(sent_of(server)) == 2
    assert all(sent < 20_000_000 for _, sent in sent_of(server))


def test_a_header_of_two_gigabytes_is_refused_after_the_first_read(folder, server, hub):
    (folder / WEIGHTS).write_bytes((2 * 10**9).to_bytes(8, "little") + b" " * 200_000)
    assert message_of(hub) == f"{NAME}/{WEIGHTS}: corrupt: header of 2000000000 bytes, expected at most 100000000"
    assert sent_of(server) == [(f"bytes=0-{FIRST_BYTES - 1}", FIRST_BYTES)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file, found 0 bytes"),
        (b"abc", "truncated: found 3 bytes, a safetensors file starts with 8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer, expected the weights"),
        (b"\n<!DOCTYPE html><html>", "a web page, expected the weights"),
        (b"<HTML><body>sign in", "a web page, expected the weights"),
        ((9).to_bytes(8, "little") + b"not JSON!", "corrupt: the header is not JSON"),
        ((99).to_bytes(8, "little") + b"{}", "truncated: header of 99 bytes expected, found 2"),
        ((2).to_bytes(8, "little") + b"{}abc", "corrupt: 0 bytes of tensors expected, found 3"),
    ],
)
def test_what_is_no_header_is_refused(folder, hub, content, message):
    (folder / WEIGHTS).write_bytes(content)
    assert message_of(hub) == f"{NAME}/{WEIGHTS}: {message}"


@pytest.mark.parametrize("header", [{"n" * 10**6: 1}, {"w": {"dtype": "D" * 10**6, "shape": [], "data_offsets": []}}])
def test_a_name_of_a_million_letters_is_told_in_one_bearable_line(folder, hub, header):
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text)
    assert len(message_of(hub)) < 1000


def test_parts_are_read_from_the_host_that_the_hub_redirects_to(folder, server, hub, hub_server):
    write_with_long_header(folder)
    storage = hub_server()
    server.faults.redirect_to = storage.other_url
    assert header_of(hub) == read_header(folder / WEIGHTS)
    assert [request.status for request in storage.requests("/resolve/")] == [206, 206]


def test_an_empty_file_is_not_asked_for(folder, server, hub):
    (folder / WEIGHTS).touch()
    message_of(hub)
    assert sent_of(server) == []


def test_a_name_with_control_characters_is_quoted(folder, server, hub):
    server.claimed(NAME).contents["a\x1b[31m.safetensors"] = b"abc"
    with pytest.raises(CheckpointRefusedError) as caught:
        header_of(hub, "a\x1b[31m.safetensors")
    assert caught.value.message.startswith("'org/bert/a\\x1b[31m.safetensors': truncated")


def test_a_file_that_is_gone_is_not_there(folder, server, hub):
    server.claimed(NAME).listing = [{"rfilename": WEIGHTS, "size": 100}]
    assert message_of(hub, NotFoundError) == f"{NAME}/{WEIGHTS}: no such file"


def test_another_size_than_the_listed_one_is_refused(folder, server, hub):
    write_small(folder)
    found = (folder / WEIGHTS).stat().st_size
    server.claimed(NAME).listing = [{"rfilename": WEIGHTS, "size": 100}]
    assert message_of(hub, HubError) == f"{NAME}/{WEIGHTS}: the Hub lists 100 bytes, and sends a file of {found}"


@pytest.mark.parametrize("place", ["bytes 5-9/100", "bytes */100", "x", "bytes 0-9/" + "9" * 5000, "bytes 0-9/\x9b"])
def test_another_part_than_the_asked_one_is_refused(folder, server, hub, place):
    write_small(folder)
    server.faults.content_range = place
    assert "asked for bytes from 0, the Hub sends " in message_of(hub, HubError)


def test_a_read_that_breaks_is_tried_again(folder, server, hub):
    write_with_long_header(folder)
    server.faults.cut_after = 1000
    assert header_of(hub) == read_header(folder / WEIGHTS)
    assert len(sent_of(server)) == 3


def test_a_read_that_breaks_each_time_is_given_up(folder, server, hub):
    write_small(folder)
    server.faults.cut_after, server.faults.cut_times = 1000, None
    assert message_of(hub, HubError).startswith(f"{NAME}/{WEIGHTS}: the connection broke: ")
    assert len(sent_of(server)) == 3


def test_a_body_shorter_than_the_range_is_an_error(folder, server, hub):
    write_small(folder)
    server.faults.length_error = -10
    wanted = f"asked for {FIRST_BYTES} bytes, found {FIRST_BYTES - 10}"
    assert message_of(hub, HubError) == f"{NAME}/{WEIGHTS}: the connection broke: {wanted}"


def test_trouble_for_a_while_is_waited_for(folder, server, hub):
    write_small(folder)
    server.faults.refusals = [Refusal("/resolve/", 503, times=2)]
    assert header_of(hub).tensors["w"].shape == (500, 500)


# Small files


def content_of(hub, name="config.json"):
    repository = find_repository(hub, NAME)
    return small_file(hub, repository, next(file for file in repository.files if file.path == name))


@pytest.mark.parametrize("content", [b"{}", b"", b"x" * 100_000])
def test_a_small_file_is_read_whole(folder, hub, content):
    (folder / "config.json").write_bytes(content)
    assert content_of(hub) == content


def test_a_small_file_in_large_storage_is_read_from_another_host(folder, server, hub, hub_server):
    (folder / "index.json.bin").write_bytes(b"{}")
    server.faults.redirect_to = hub_server().other_url
    assert content_of(hub, "index.json.bin") == b"{}"


def test_a_file_that_is_not_small_is_not_asked_for(server, hub):
    large = RemoteFile("index.json", MAX_SMALL_BYTES + 1)
    with pytest.raises(CheckpointRefusedError) as caught:
        small_file(hub, find_repository(hub, NAME), large)
    assert caught.value.message == f"{NAME}/index.json: {MAX_SMALL_BYTES + 1} bytes, expected at most {MAX_SMALL_BYTES}"
    assert sent_of(server) == []


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({"blobId": "1" * 40}, f"git blob hash is 9e26dfeeb6e641a33dae4961196235bdb965b21b, expected {'1' * 40}"),
        (
            {"lfs": {"sha256": "1" * 64, "size": 2}},
            f"sha256 is {hashlib.sha256(b'{}').hexdigest()}, expected {'1' * 64}",
        ),
    ],
)
def test_a_small_file_with_another_hash_is_refused(folder, server, hub, listed, message):
    (folder / "config.json").write_bytes(b"{}")
    server.claimed(NAME).listing = [{"rfilename": "config.json", "size": 2} | listed]
    with pytest.raises(CheckpointRefusedError) as caught:
        content_of(hub)
    assert caught.value.message == f"{NAME}/config.json: corrupt: {message}"
