"""What is on disk of a file: gone on with where it's its first bytes, never trusted, never left behind."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from file_server import Answer, FileServer
from remote import CONTENT, CUT, OTHER, OUTDATED, REPOSITORY, SHA256, SIZE, SMALL, UNHASHED, leave

from wembed.errors import CheckpointRefusedError, WembedError
from wembed.hub.download import remove_left_over
from wembed.hub.download.alone import alone
from wembed.hub.session import StoppedError


def test_what_an_earlier_process_left_is_not_fetched_again(content, fetch, target, partials):
    leave(partials, CONTENT[:CUT])
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert server.starts == [CUT]


def test_a_whole_partial_file_is_not_fetched_again(content, fetch, target, partials):
    leave(partials, CONTENT)
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (server.starts, target.read_bytes(), list(partials.iterdir())) == ([], CONTENT, [])


def test_a_partial_file_that_was_wrong_is_fetched_afresh_once(content, fetch, target, partials):
    leave(partials, bytes(CUT))
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (server.starts, target.read_bytes(), list(partials.iterdir())) == ([CUT, 0], CONTENT, [])


def test_a_whole_partial_file_that_was_wrong_is_fetched_afresh(content, fetch, target, partials):
    leave(partials, bytes(SIZE))
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert server.starts == [0]


def test_what_is_wrong_afresh_too_is_refused(content, fetch, target, partials):
    leave(partials, CONTENT[:CUT])
    content.write_bytes(CONTENT[::-1])
    with FileServer(content) as server, pytest.raises(CheckpointRefusedError):
        fetch(server)
    assert (server.starts, list(partials.iterdir())) == ([CUT, 0], [])


def test_a_person_can_end_the_reading_of_what_is_there(content, fetch, partials):
    part, stop = leave(partials, CONTENT), threading.Event()
    stop.set()
    with FileServer(content) as server, pytest.raises(StoppedError):
        fetch(server, stop=stop)
    assert part.read_bytes() == CONTENT


FOREIGN = {
    "too long": (CONTENT + b"!", None),
    "no sidecar": (CONTENT[:CUT], ""),
    "a sidecar of another file": (CONTENT[:CUT], '{"repository": "a", "path": "b"}'),
    "a sidecar that is a list": (CONTENT[:CUT], "[" * 100_000),
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_file_at_the_partials_place_is_not_gone_on_with(content, fetch, target, partials, foreign):
    leave(partials, FOREIGN[foreign][0], sidecar=FOREIGN[foreign][1])
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (server.starts, list(partials.iterdir())) == ([0], [])


def test_a_link_at_the_partials_place_is_not_written_through(content, fetch, partials, tmp_path):
    part = leave(partials, b"")
    own = tmp_path / "own"
    own.write_bytes(CONTENT[:CUT])
    part.unlink()
    part.symlink_to(own)
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert own.read_bytes() == CONTENT[:CUT]


def test_a_second_link_to_the_partial_file_is_not_written_through(content, fetch, partials, tmp_path):
    part = leave(partials, CONTENT[:CUT])
    (tmp_path / "own").hardlink_to(part)
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert (tmp_path / "own").read_bytes() == CONTENT[:CUT]


def test_a_folder_at_the_partials_place_is_one_line(content, fetch, partials):
    part = leave(partials, b"")
    part.unlink()
    part.mkdir()
    with FileServer(content) as server, pytest.raises(WembedError, match=r"cannot write .*\.part: is a directory$"):
        fetch(server)


def test_a_folder_at_the_target_is_one_line_and_what_was_fetched_stays(content, fetch, target, partials):
    target.mkdir(parents=True)
    with FileServer(content) as server:
        with pytest.raises(WembedError, match=r"cannot write .*checkpoints/model\.safetensors: is a directory$"):
            fetch(server)
        target.rmdir()
        fetch(server)
    assert (server.starts, list(partials.iterdir())) == ([0], [])


def test_a_folder_that_is_a_file_is_one_line(content, fetch, partials):
    partials.parent.mkdir()
    partials.write_bytes(b"")
    with FileServer(content) as server, pytest.raises(WembedError, match=r"cannot write .*downloads: file exists$"):
        fetch(server)


def test_a_file_that_changed_upstream_is_fetched_afresh(content, fetch, partials):
    leave(partials, CONTENT[:CUT], OUTDATED)
    with FileServer(content) as server:
        assert fetch(server) == SHA256
    assert server.starts == [0]


def test_what_is_left_over_of_a_file_that_is_there_is_removed(partials):
    leave(partials, CONTENT[:CUT], OUTDATED)
    remove_left_over(partials, {(REPOSITORY.id, OUTDATED.path)})
    assert list(partials.iterdir()) == []


def test_a_part_that_is_being_fetched_stays(partials):
    part = leave(partials, CONTENT[:CUT], OUTDATED)
    with alone(part.with_suffix(".lock"), threading.Event()), ThreadPoolExecutor() as pool:
        pool.submit(remove_left_over, partials, {(REPOSITORY.id, OUTDATED.path)}).result(timeout=10)
        assert part.exists()


def test_the_part_of_another_file_stays(partials):
    part = leave(partials, CONTENT[:CUT], OTHER)
    remove_left_over(partials, {(REPOSITORY.id, OUTDATED.path)})
    assert part.exists()


def test_a_torn_sidecar_is_removed(partials):
    leave(partials, b"", OTHER, sidecar='{"repository": "or')
    remove_left_over(partials, set())
    assert list(partials.iterdir()) == []


@pytest.mark.parametrize("file", [SMALL, UNHASHED], ids=["git hash", "no hash"])
def test_an_etag_that_changed_starts_afresh(content, fetch, partials, file):
    leave(partials, bytes(CUT), file)
    with FileServer(content, etag="second") as server:
        assert fetch(server, file) == SHA256
    assert (server.starts, list(partials.iterdir())) == ([CUT, 0], [])


def test_an_etag_that_changed_starts_afresh_in_an_answer_with_all_of_it(content, fetch, target, partials):
    leave(partials, bytes(CUT), UNHASHED)
    with FileServer(content, [Answer(heeds_range=False)], etag="second") as server:
        assert fetch(server, UNHASHED) == SHA256
    assert (server.starts, target.read_bytes()) == ([CUT], CONTENT)


def test_an_etag_says_nothing_where_the_sha256_is_listed(content, fetch, partials):
    leave(partials, CONTENT[:CUT])
    with FileServer(content, etag="second") as server:
        assert fetch(server) == SHA256
    assert server.starts == [CUT]
