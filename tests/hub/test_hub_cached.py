"""Files that are on disk already: found in huggingface_hub's cache, and linked rather than fetched."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from wembed.errors import WembedError
from wembed.hub.cached import find_cached, take_cached
from wembed.hub.repository import RemoteFile, Repository

CONTENT = b"weights" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
FILE = RemoteFile("unet/model.safetensors", len(CONTENT), sha256=SHA256)
REPOSITORY = Repository("org/name", "c" * 40, (FILE,))


@pytest.fixture
def blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in a cache such as huggingface_hub's, which the snapshot of the commit links to."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    blob = cache / "models--org--name" / "blobs" / SHA256
    snapshot = cache / "models--org--name" / "snapshots" / REPOSITORY.commit / FILE.path
    for path in (blob, snapshot):
        path.parent.mkdir(parents=True)
    blob.write_bytes(CONTENT)
    snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
    return blob


def test_the_cache_of_the_commit_is_found(blob):
    assert find_cached(REPOSITORY, FILE).resolve() == blob


@pytest.mark.parametrize("path", ["model.safetensors", "../../blobs/x", "/etc/passwd", "a\0b", ""])
def test_what_is_not_cached_is_not_found(blob, path):
    assert find_cached(REPOSITORY, RemoteFile(path, 1)) is None


def test_another_commit_is_not_found(blob):
    assert find_cached(Repository("org/name", "d" * 40, ()), FILE) is None


def test_no_cache_is_not_found(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    assert find_cached(REPOSITORY, FILE) is None


def test_the_cached_file_is_linked_not_its_link(blob, tmp_path):
    target = tmp_path / "zoo" / "model.safetensors"
    assert take_cached(find_cached(REPOSITORY, FILE), FILE, target) == SHA256
    assert stat.S_ISREG(target.lstat().st_mode)
    assert target.samefile(blob)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_link_that_is_there_already_leaves_nothing_beside_it(blob, tmp_path):
    target = tmp_path / "zoo" / "model.safetensors"
    take_cached(blob, FILE, target)
    assert take_cached(blob, FILE, target) == SHA256
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_another_file_at_the_target_is_replaced_not_written_into(blob, tmp_path):
    target, elsewhere = tmp_path / "zoo" / "model.safetensors", tmp_path / "elsewhere"
    target.parent.mkdir()
    elsewhere.write_bytes(b"own")
    target.symlink_to(elsewhere)
    take_cached(blob, FILE, target)
    assert (target.read_bytes(), elsewhere.read_bytes()) == (CONTENT, b"own")


def test_where_links_are_impossible_the_file_is_copied(blob, tmp_path, monkeypatch):
    def refuse(self, other):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    target = tmp_path / "zoo" / "model.safetensors"
    assert take_cached(blob, FILE, target) == SHA256
    assert target.read_bytes() == CONTENT
    assert not target.samefile(blob)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_small_file_is_checked_by_its_git_hash(blob, tmp_path):
    small = RemoteFile("config.json", len(CONTENT), oid=GIT)
    assert take_cached(blob, small, tmp_path / "zoo" / "config.json") == SHA256


@pytest.mark.parametrize(
    "listed",
    [
        RemoteFile("a", len(CONTENT) + 1, sha256=SHA256),
        RemoteFile("a", len(CONTENT), sha256="0" * 64),
        RemoteFile("a", len(CONTENT), oid="0" * 40),
        RemoteFile("a", len(CONTENT)),
    ],
    ids=["size", "sha256", "git hash", "no hash"],
)
def test_what_is_not_surely_the_listed_file_is_not_taken(blob, tmp_path, listed):
    target = tmp_path / "zoo" / "a"
    assert take_cached(blob, listed, target) is None
    assert not target.exists()


def test_a_link_in_a_circle_is_not_taken(tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    assert take_cached(circle, FILE, tmp_path / "zoo" / "a") is None


def test_a_target_that_cannot_be_written_is_one_line(blob, tmp_path):
    target = tmp_path / "zoo" / "a"
    target.mkdir(parents=True)
    with pytest.raises(WembedError, match=r"cannot write .*zoo/a: is a directory"):
        take_cached(blob, FILE, target)
    assert list(target.parent.iterdir()) == [target]
