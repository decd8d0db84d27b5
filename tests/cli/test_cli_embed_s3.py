"""`wembed embed` and `wembed search` with a store on an S3 API, from two processes at once."""

import json
from pathlib import Path

import object_store
import pytest


@pytest.fixture
def store(monkeypatch):
    with object_store.running(monkeypatch):
        yield object_store.URI


def test_two_shards_at_once_fill_a_bucket_that_a_search_reads(spawn, run, write, store):
    for seed in range(8):
        write(Path("models") / f"m{seed}.safetensors", seed)
    assert run("zoo", "add", "models").code == 0
    calls = [spawn("embed", "--shard", f"{number}/2", "--store", store, "--json") for number in (1, 2)]
    parts = [call.communicate() for call in calls]
    assert [call.returncode for call in calls] == [0, 0], parts
    ids = sorted(row["id"] for out, _ in parts for row in json.loads(out))
    assert ids == [f"m{seed}" for seed in range(8)]
    there = json.loads(run("search", "m3", "--store", store, "-k", "8", "--json").out)
    here = json.loads(run("search", "m3", "-k", "8", "--json").out)
    assert there == here
    assert all(row["skipped"] for row in json.loads(run("embed", "--store", store, "--json").out))


def test_a_bucket_that_is_not_there_is_one_line(run, write, store):
    write(Path("models") / "m.safetensors")
    assert run("zoo", "add", "models").code == 0
    result = run("embed", "--store", "s3://none/x")
    assert result.code == 1
    assert "there is no such bucket" in result.err
    assert "make the bucket, or check --store" in result.err
