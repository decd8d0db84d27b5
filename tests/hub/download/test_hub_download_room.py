"""Room on the disk: claimed before a byte is asked for, by all downloads of a process together."""

import shutil

import pytest

from wembed.errors import WembedError
from wembed.hub.download.room import claimed

FREE = 1000


@pytest.fixture(autouse=True)
def _small_disk(monkeypatch):
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10 * FREE, 9 * FREE, FREE))


def test_all_that_is_free_may_be_claimed(tmp_path):
    with claimed("org/name/a", tmp_path, FREE) as claim:
        assert claim.missing == FREE


def test_too_little_room_names_needed_and_free(tmp_path):
    with (
        pytest.raises(
            WembedError, match=r"org/name/a: no room in .*: 1001 more bytes are needed, 1000 are free$"
        ) as caught,
        claimed("org/name/a", tmp_path, FREE + 1),
    ):
        pass
    assert (caught.value.exit_code, caught.value.hint) == (1, "make room; the same command goes on where it was")


def test_what_others_have_claimed_is_not_free(tmp_path):
    with (
        claimed("org/name/a", tmp_path, 600),
        pytest.raises(WembedError, match=r"500 more bytes are needed, 1000 .*, of which other downloads take 600$"),
        claimed("org/name/b", tmp_path, 500),
    ):
        pass


def test_what_others_have_written_no_longer_counts(tmp_path):
    with claimed("org/name/a", tmp_path, 600) as first:
        first.missing = 100
        with claimed("org/name/b", tmp_path, 500):
            pass


def test_a_claim_ends_with_its_download(tmp_path):
    with pytest.raises(KeyError), claimed("org/name/a", tmp_path, FREE):
        raise KeyError
    with claimed("org/name/b", tmp_path, FREE):
        pass


def test_a_file_that_lacks_nothing_needs_no_room(tmp_path, monkeypatch):
    with claimed("org/name/a", tmp_path, FREE):
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
        with claimed("org/name/b", tmp_path, 0):
            pass
