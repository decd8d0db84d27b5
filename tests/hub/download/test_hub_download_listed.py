"""Files as a Hub lists them: large ones from another host, small ones by git's hash, cached ones from the cache."""

import hashlib

import pytest
from huggingface_hub import hf_hub_download

from wembed.hub.cached import find_cached, take_cached
from wembed.hub.download import download
from wembed.hub.listing import find_repository
from wembed.hub.session import Hub, HubOptions

WEIGHTS = bytes(range(256)) * 1000
CONFIG = b'{"model_type": "bert"}'


@pytest.fixture(autouse=True)
def _repository(hub_root):
    folder = hub_root / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "config.json").write_bytes(CONFIG)


def _download_all(server, zoo):
    hub = Hub(HubOptions(endpoint=server.url, token="hf_right", timeout=5))
    repository = find_repository(hub, "org/name")
    return {file.path: download(hub, repository, file, zoo / file.path, zoo / "downloads") for file in repository.files}


def test_all_files_of_a_repository_are_right(hub_server, tmp_path):
    found = _download_all(hub_server(), tmp_path / "zoo")
    expected = {"model.safetensors": WEIGHTS, "config.json": CONFIG}
    assert found == {path: hashlib.sha256(data).hexdigest() for path, data in expected.items()}


def test_a_download_that_breaks_on_another_host_goes_on_there_without_the_token(hub_server, tmp_path):
    storage = hub_server(cut_after=100_000)
    found = _download_all(hub_server(redirect_to=storage.other_url), tmp_path / "zoo")
    assert found["model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert [(request.range, request.authorization) for request in storage.log] == [
        (None, None),
        ("bytes=100000-", None),
    ]


def test_what_huggingface_hub_has_fetched_is_not_fetched_again(hub_server, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    server = hub_server()
    repository = find_repository(Hub(HubOptions(endpoint=server.url)), "org/name")
    weights = next(file for file in repository.files if file.path == "model.safetensors")
    hf_hub_download("org/name", weights.path, endpoint=server.url, cache_dir=tmp_path / "cache")
    asked = len(server.log)
    found = take_cached(find_cached(repository, weights), weights, tmp_path / "zoo" / "model.safetensors")
    assert (found, len(server.log)) == (weights.sha256, asked)
