"""Tables on an object store, here an S3 API on loopback."""

import subprocess
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import object_store
import pytest

from wembed.errors import UsageError, WembedError
from wembed.store import EmbeddingTable, Key, Row

REFUSAL = b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"


@pytest.fixture(scope="module", params=["moto", pytest.param("seaweedfs", marks=pytest.mark.slow)])
def bucket(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "moto":
            started = object_store.running(patch)
        else:
            started = object_store.running_seaweedfs(patch, tmp_path_factory.mktemp("seaweedfs"))
        with started:
            yield


@pytest.fixture
def uri(bucket, request) -> str:
    """A place that no other test uses."""
    return f"{object_store.URI}/{request.function.__name__}"


def rows(count: int) -> dict[Row, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        Row(f"m{n}", Key(f"c{n}", "s"), {"params": n}): generator.normal(size=8).astype(np.float32)
        for n in range(count)
    }


def ids(table: EmbeddingTable, where: str | None = None) -> list[str]:
    return sorted(row["id"] for row in table.rows(where, ["id"]))


def test_what_is_put_in_is_found_filtered_and_replaced(uri):
    table = EmbeddingTable(uri, "e", 8)
    assert table.count() == 0
    table.upsert(rows(20))
    table.upsert(rows(20))
    again = EmbeddingTable(uri, "e", 8)
    assert again.count() == 20
    assert ids(again, "params < 2") == ["m0", "m1"]
    assert np.array_equal(again.find(["m3"])["m3"], list(rows(4).values())[3])


def test_a_table_is_brought_in_line_and_keeps_its_mark(uri):
    table = EmbeddingTable(uri, "e", 8)
    table.upsert(rows(3))
    table.synchronise(table.held(), [*table.held()[:1], Row("other", Key("c1", "s"))])
    table.set_notes({"mark": "state"})
    again = EmbeddingTable(uri, "e", 8)
    assert (ids(again), again.note("mark")) == (["m0", "other"], "state")


def test_an_index_is_made_used_and_brought_up_to_date(uri, monkeypatch):
    monkeypatch.setattr("wembed.store.index.LEAST", 500)
    table = EmbeddingTable(uri, "e", 8)
    table.upsert(rows(600))
    assert table.build_index().recall >= 0.99
    again = EmbeddingTable(uri, "e", 8)
    query = list(rows(600).values())[17]
    assert again.nearest(query, 1).take([0], ["id"]) == [{"id": "m17"}]
    assert again.nearest(query, 1, "params > 100").take([0], ["id"]) != [{"id": "m17"}]
    again.upsert(rows(700))
    assert again.build_index().rows == 700


def test_processes_that_make_a_table_at_once_lose_nothing_and_put_nothing_in_twice(bucket):
    command = [sys.executable, object_store.__file__]
    running = [subprocess.Popen([*command, prefix, "2"]) for prefix in "abc"]
    assert [process.wait() for process in running] == [0] * 3
    expected = {f"{prefix}{number}" for prefix in (*"abc", "shared") for number in range(2)}
    assert Counter(ids(EmbeddingTable(object_store.URI, "e", 3))) == Counter(expected)


def test_a_bucket_that_is_not_there_is_one_line(bucket):
    with pytest.raises(WembedError, match=r"from s3://none/x/e.lance: there is no such bucket$") as caught:
        EmbeddingTable("s3://none/x", "e", 8)
    assert caught.value.hint == "make the bucket, or check --store"


def test_credentials_that_are_refused_are_one_line(monkeypatch):
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(403)
            self.send_header("Content-Length", str(len(REFUSAL)))
            self.end_headers()
            self.wfile.write(REFUSAL)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever).start()
        object_store.named(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(WembedError, match=r"e.lance: the credentials are refused$") as caught:
                EmbeddingTable("s3://bucket/x", "e", 8)
        finally:
            server.shutdown()
    assert caught.value.hint.startswith("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_one_line(monkeypatch):
    object_store.named(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(WembedError, match=r"e.lance: the object store does not answer$") as caught:
        EmbeddingTable("s3://bucket/x", "e", 8)
    assert caught.value.hint == "check AWS_ENDPOINT_URL and the network"


def test_a_kind_of_place_that_is_not_known_is_one_line():
    with pytest.raises(UsageError, match=r"'s4://bucket/x' is no place for embeddings that wembed knows"):
        EmbeddingTable("s4://bucket/x", "e", 8)


@pytest.mark.parametrize("uri", ["s3://", "s3:///prefix", "gs://"])
def test_a_place_without_a_bucket_is_one_line(uri):
    with pytest.raises(UsageError, match=f"^'{uri}' names no bucket$") as caught:
        EmbeddingTable(uri, "e", 8)
    assert caught.value.hint == "a store is a folder or s3://, gs:// or az:// with a bucket and a prefix"


def test_memory_is_no_place():
    with pytest.raises(UsageError, match="'memory://x' is no place for embeddings that wembed knows"):
        EmbeddingTable("memory://x", "e", 8)
