"""Reading ahead: the order, how far ahead, and what becomes of errors and of those who stop early."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from every_architecture import EVERY, described

import wembed.encoder.features as features
import wembed.encoder.reading as reading
from wembed.checkpoint import in_memory
from wembed.encoder import load_encoder
from wembed.encoder.ahead import read_ahead
from wembed.models.modules import initial_state
from wembed.zoo.builder.specs import network_spec


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_parts_come_in_their_order():
    assert list(read_ahead(iter(range(20)))) == list(range(20))


def test_nothing_comes_of_nothing():
    assert list(read_ahead(iter(()))) == []


def test_the_reader_is_one_part_ahead_and_no_further():
    started = [threading.Event() for _ in range(4)]

    def parts() -> Iterator[int]:
        for number, event in enumerate(started):
            event.set()
            yield number

    ahead = read_ahead(parts())
    next(ahead)
    assert started[1].wait(timeout=5)
    assert not started[2].is_set()
    ahead.close()


def test_parts_are_read_while_the_caller_works():
    worked, read = threading.Event(), threading.Event()

    def parts() -> Iterator[int]:
        yield 0
        assert worked.wait(timeout=5)  # which the caller sets while it works on the first part
        read.set()
        yield 1

    for part in read_ahead(parts()):
        if part == 0:
            worked.set()
            assert read.wait(timeout=5)


def test_an_error_comes_where_its_part_would_have_come():
    def parts() -> Iterator[int]:
        yield 0
        raise OSError("torn")

    seen = []
    with pytest.raises(OSError, match="torn"):
        seen.extend(read_ahead(parts()))
    assert not readers()


def test_no_thread_is_left_when_the_caller_stops_early():
    ahead = read_ahead(iter(range(5)))
    next(ahead)
    ahead.close()
    assert not readers()


@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
def test_embeddings_of_what_is_read_ahead_are_those_of_what_is_held(name, monkeypatch):
    architecture = EVERY[4]
    item = in_memory(initial_state(described(architecture), 0)), network_spec(described(architecture))
    held = load_encoder(name).embed([item])
    monkeypatch.setattr(reading, "_LARGEST_HELD", 0)
    monkeypatch.setattr(features, "_LARGEST_KEPT", 0)
    assert np.array_equal(load_encoder(name).embed([item]), held)
    assert not readers()
