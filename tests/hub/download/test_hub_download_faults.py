"""A server's faults: overcome without losing what is on disk, or said in one line."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from file_server import Answer, FileServer
from remote import CONTENT, CUT, SHA256, SIZE, leave

from wembed.errors import HubError, NotFoundError
from wembed.hub.session import StoppedError

FAULTS = {
    "connection cut": ([Answer(ends_after=CUT)], [0, CUT]),
    "connection cut at once": ([Answer(ends_after=0)], [0, 0]),
    "cut again and again": ([Answer(ends_after=1000)] * 9, [1000 * each for each in range(10)]),
    "status 500 for a while": ([Answer(status=500)] * 3, [0] * 4),
    "status 503 on the way": ([Answer(ends_after=CUT), Answer(status=503)], [0, CUT, CUT]),
    "status 429": ([Answer(status=429, headers={"Retry-After": "0"})], [0, 0]),
    "status 416": ([Answer(ends_after=CUT), Answer(status=416)], [0, CUT, 0]),
    "ranges ignored": ([Answer(ends_after=CUT), Answer(heeds_range=False)], [0, CUT]),
    "ranges ignored, cut before where it was": (
        [Answer(ends_after=CUT), Answer(heeds_range=False, ends_after=CUT - 5), Answer()],
        [0, CUT, CUT],
    ),
    "another part": (
        [Answer(ends_after=CUT), Answer(headers={"Content-Range": f"bytes 7-{SIZE - 1}/{SIZE}"})],
        [0, CUT, 0],
    ),
    "a part without its place": ([Answer(ends_after=CUT), Answer(headers={"Content-Range": ""})], [0, CUT, 0]),
    "a part of another file": (
        [Answer(ends_after=CUT), Answer(headers={"Content-Range": f"bytes {CUT}-{SIZE}/{SIZE + 1}"})],
        [0, CUT, CUT],
    ),
    "Content-Length too long": ([Answer(headers={"Content-Length": str(SIZE + 9)})], [0, 0]),
    "Content-Length too short": ([Answer(headers={"Content-Length": str(CUT)})], [0, 0]),
    "Content-Length of a part too long": (
        [Answer(ends_after=CUT), Answer(headers={"Content-Length": str(SIZE)})],
        [0, CUT],
    ),
    "Content-Length of a part too short": (
        [Answer(ends_after=CUT), Answer(headers={"Content-Length": "1000"})],
        [0, CUT, CUT + 1000],
    ),
    "no Content-Length, cut": ([Answer(headers={"Content-Length": ""}, ends_after=CUT)], [0, CUT]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_overcome_without_losing_what_is_there(content, fetch, target, partials, fault):
    answers, starts = FAULTS[fault]
    with FileServer(content, answers) as server:
        assert fetch(server) == SHA256
    assert server.starts == starts
    assert target.read_bytes() == CONTENT
    assert list(partials.iterdir()) == []


def test_a_stalled_connection_is_left_after_the_timeout(content, fetch, target):
    with FileServer(content, [Answer(ends_after=CUT, stalls=True)]) as server:
        assert fetch(server, timeout=0.2) == SHA256
    assert server.starts == [0, CUT]


def test_two_answers_that_do_not_fit_together_are_fetched_afresh(content, fetch, target, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(bytes(SIZE))
    with FileServer(content, [Answer(content=other, ends_after=CUT)]) as server:
        assert fetch(server) == SHA256
    assert (server.starts, target.read_bytes()) == ([0, CUT, 0], CONTENT)


def test_more_bytes_than_listed_are_never_written(content, fetch, target, partials, tmp_path):
    longer = tmp_path / "longer"
    longer.write_bytes(CONTENT + b"!")
    with (
        FileServer(content, [Answer(content=longer, headers={"Content-Length": ""})] * 4) as server,
        pytest.raises(HubError, match=r"^org/name/model\.safetensors: the Hub sends more than the 307200 bytes that"),
    ):
        fetch(server)
    assert (len(server.starts), target.exists(), list(partials.iterdir())) == (4, False, [])


REFUSALS = {
    "status 401": ([Answer(status=401)], HubError, "the Hub refuses access (status 401)"),
    "gated": (
        [Answer(status=403, headers={"X-Error-Code": "GatedRepo"})],
        HubError,
        "gated, access must be asked for on its page",
    ),
    "no such file": ([Answer(status=404, headers={"X-Error-Code": "EntryNotFound"})], NotFoundError, "no such file"),
    "status 500 for good": ([Answer(status=500)] * 4, HubError, "the Hub has trouble (status 500)"),
    "cut for good": ([Answer(ends_after=0)] * 4, HubError, "the connection broke: "),
    "Content-Length too short for good": (
        [Answer(headers={"Content-Length": "130"})] * 4,
        HubError,
        "the Hub sends a file of 130 bytes, and lists 307200",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_lasting_fault_is_one_line_and_no_file(content, fetch, target, partials, refusal):
    answers, kind, message = REFUSALS[refusal]
    with FileServer(content, answers) as server, pytest.raises(kind) as caught:
        fetch(server)
    assert caught.value.message.startswith(f"org/name/model.safetensors: {message}")
    assert "\n" not in caught.value.message
    assert not target.exists()
    assert list(partials.iterdir()) == []


def test_a_refusal_on_the_way_keeps_what_is_there(content, fetch, target, partials):
    part = leave(partials, CONTENT[:CUT])
    with FileServer(content, [Answer(status=403)] * 2) as server, pytest.raises(HubError):
        fetch(server)
    assert (part.read_bytes(), target.exists()) == (CONTENT[:CUT], False)


def test_a_part_that_ends_early_says_how_much_is_there(content, fetch, partials):
    leave(partials, CONTENT[:CUT])
    answers = [Answer(headers={"Content-Length": "1"}, ends_after=1)] * 9
    with (
        FileServer(content, answers) as server,
        pytest.raises(HubError, match=r"the Hub ends after 102401 of 307200 bytes$") as caught,
    ):
        fetch(server, retries=0)
    assert caught.value.hint == "the same command goes on where it was"


def test_a_person_can_end_the_wait_before_the_next_try(content, fetch, partials):
    stop = threading.Event()
    answers = [Answer(ends_after=CUT), Answer(status=429, headers={"Retry-After": "100"})]
    with FileServer(content, answers) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(fetch, server, stop=stop)
        server.wait_for(CUT)
        stop.set()
        with pytest.raises(StoppedError):
            running.result(timeout=10)
    assert {path.suffix for path in partials.iterdir()} <= {".part", ".json"}
