"""A disk that is really full: a small one of its own, which a process mounts for itself."""

import hashlib
import json
import subprocess

import pytest
from downloading import finish, start_download
from file_server import FileServer

from wembed.hub.repository import RemoteFile

CONTENT = bytes(range(256)) * 8192  # 2 MB
MOUNT = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m none "$0" && exec "$@"']
FULL = """
import json, sys
from pathlib import Path
from wembed.errors import WembedError
from wembed.hub.download import download
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub, HubOptions

url, path, size, sha256, target, partials = sys.argv[1:]
file = RemoteFile(path, int(size), sha256=sha256)
hub, repository = Hub(HubOptions(endpoint=url)), Repository("org/name", "c" * 40, (file,))
filler = Path(target).parent / "filler"

def attempt(listed, on_bytes):
    try:
        return download(hub, repository, listed, Path(target), Path(partials), on_bytes)
    except WembedError as error:
        return f"{error.exit_code} {error.message}"

def fill(on_disk):
    if on_disk and not filler.exists():
        filler.write_bytes(bytes(FILLER))

first = attempt(file, fill)
left = sum(part.stat().st_size for part in Path(partials).glob("*.part"))
filler.unlink(missing_ok=True)
last = attempt(file, lambda on_disk: None)
beside = len(list(Path(partials).iterdir()))
print(json.dumps({"first": first, "left": left, "last": last, "beside": beside}))
"""


@pytest.fixture
def small_disk(tmp_path):
    """How to run a command that has 3 MB at a path, and the path."""
    disk = tmp_path / "disk"
    disk.mkdir()
    within = [*MOUNT, str(disk)]
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    return within, disk


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return path


def test_a_disk_that_fills_is_one_line_and_what_was_written_is_gone_on_with(small_disk, content):
    within, disk = small_disk
    file = RemoteFile("model.safetensors", len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    script = FULL.replace("FILLER", "1_500_000")
    with FileServer(content, rate=20_000_000) as server:
        found = finish(start_download(server.url, file, disk / "model", disk / "downloads", script, within))
    assert found["first"].startswith(f"1 org/name/model.safetensors: no room in {disk}/downloads: ")
    assert f"{len(CONTENT) - found['left']} more bytes are needed" in found["first"]
    assert (found["left"] > 0, found["last"], found["beside"]) == (True, file.sha256, 0)
    assert server.starts == [0, found["left"]]


def test_a_file_larger_than_the_disk_is_not_asked_for(small_disk, content):
    within, disk = small_disk
    file = RemoteFile("model.safetensors", 4_000_000, sha256="0" * 64)
    with FileServer(content) as server:
        found = finish(start_download(server.url, file, disk / "model", disk / "downloads", FULL, within))
    assert "4000000 more bytes are needed, 31" in found["first"]
    assert (server.starts, json.dumps(found["beside"])) == ([], "0")
