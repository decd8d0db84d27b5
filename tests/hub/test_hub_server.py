"""The loopback Hub itself: huggingface_hub takes it for a real one, and its faults are those that were asked for."""

import hashlib
import http.client
import time
from pathlib import Path

import pytest
from hub_server import HubServer
from huggingface_hub import HfApi, snapshot_download

NAME = "org/bert"
PATH = "/org/bert/resolve/main/model.safetensors"
CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server(hub_root, hub_server):
    folder = hub_root / NAME
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(CONTENT)
    return hub_server()


def get(server, **headers):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", PATH, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_huggingface_hub_downloads_from_it(server, hub_server, tmp_path):
    server.faults.redirect_to = hub_server().other_url
    folder = snapshot_download(NAME, endpoint=server.url, cache_dir=tmp_path / "cache")
    assert Path(folder, "model.safetensors").read_bytes() == CONTENT


def test_huggingface_hub_lists_it(server):
    api = HfApi(endpoint=server.url)
    info = api.model_info(NAME, files_metadata=True)
    assert info.sha == server.commit(NAME)
    assert info.siblings[1].lfs.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert [entry.size for entry in api.get_paths_info(NAME, ["config.json"])] == [2]
    assert [entry.path for entry in api.list_repo_tree(NAME)] == ["config.json", "model.safetensors"]
    assert [model.id for model in api.list_models(author="org")] == [NAME]


def test_a_commit_changes_with_the_files(server, hub_root):
    before = server.commit(NAME)
    (hub_root / NAME / "config.json").write_bytes(b"{ }")
    assert server.commit(NAME) != before


def test_a_range_is_the_part_that_was_asked_for(server):
    response, body = get(server, Range="bytes=1000-1999")
    assert (response.status, body) == (206, CONTENT[1000:2000])
    assert response.getheader("Content-Range") == f"bytes 1000-1999/{len(CONTENT)}"
    assert (server.log[0].range, server.log[0].sent) == ("bytes=1000-1999", 1000)


def test_a_range_behind_the_end_is_refused(server):
    assert get(server, Range=f"bytes={len(CONTENT)}-")[0].status == 416


def test_a_throttled_body_takes_its_time(server):
    server.faults.throttle = 4 * len(CONTENT)
    start = time.monotonic()
    assert get(server)[1] == CONTENT
    assert time.monotonic() - start > 0.2


def test_a_connection_is_cut_as_often_as_was_asked_for(server):
    server.faults.cut_after = 500_000
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(server)
    assert len(caught.value.partial) == server.log[0].sent == 500_000
    assert get(server)[1] == CONTENT


def test_a_stalled_body_comes_to_its_place_and_no_further(server):
    server.faults.stall_after = 1000
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=0.1)
    connection.request("GET", PATH)
    response = connection.getresponse()
    assert response.read(1000) == CONTENT[:1000]
    with pytest.raises(TimeoutError):
        response.read(1)
    response.close()
    connection.close()


def test_a_server_ends_though_a_client_hangs_on_it(server, hub_root):
    with HubServer(hub_root, stall_after=1000) as other:
        connection = http.client.HTTPConnection(other.url.removeprefix("http://"), timeout=5)
        connection.request("GET", PATH)
        response = connection.getresponse()
        start = time.monotonic()
    assert time.monotonic() - start < 1
    response.close()
    connection.close()
