"""Embedding in shards: which checkpoint is in which, and that all shards together make the table that one run makes."""

import hashlib
import threading

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import load_encoder
from wembed.errors import UsageError
from wembed.store import EmbeddingTable
from wembed.zoo import add, embed_zoo, open_table
from wembed.zoo.embed import Shard, is_current


@pytest.fixture
def filled(zoo, write, tmp_path) -> Zoo:
    """Twelve networks and a copy of one."""
    files = [write(tmp_path / f"m{seed}.safetensors", seed) for seed in range(12)]
    add(zoo, [*files, write(tmp_path / "copy" / "m0.safetensors", 0)])
    return zoo


def contents(count: int) -> list[CatalogRow]:
    return [CatalogRow(str(n), "p", content=hashlib.sha256(str(n).encode()).hexdigest()) for n in range(count)]


def held(table: EmbeddingTable) -> dict[str, list[float]]:
    ids = [row["id"] for row in table.rows(None, ["id"])]
    vectors = table.find(ids)
    assert len(ids) == len(vectors)
    return {id: vectors[id].tolist() for id in sorted(ids)}


@pytest.mark.parametrize("of", [1, 2, 7])
def test_shards_are_disjoint_complete_and_of_about_one_size(of):
    rows = contents(700)
    parts = [Shard(number, of).rows(rows) for number in range(1, of + 1)]
    assert sorted((row.id for part in parts for row in part), key=int) == [row.id for row in rows]
    assert all(abs(len(part) - 700 / of) < 60 for part in parts)


def test_copies_are_in_one_shard_whatever_else_is_in_the_zoo():
    rows = contents(50)
    copies = [CatalogRow(f"copy of {row.id}", "elsewhere", content=row.content) for row in reversed(rows)]
    part = {row.id for row in Shard(2, 3).rows(rows)}
    assert {row.id for row in Shard(2, 3).rows(copies)} == {f"copy of {id}" for id in part}


@pytest.mark.parametrize(
    "text", ["0/8", "9/8", "3", "a/b", "1/0", "-1/8", "1/8/8", "3/8 ", "\u0663/8", "1/" + "9" * 99]
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match=r"--shard is '.*', expected the form 3/8") as caught:
        Shard.parse(text)
    assert caught.value.hint == "the shards of 8 are 1/8 to 8/8"


def test_a_shard_reads_back_as_it_is_written():
    assert str(Shard.parse("3/8")) == "3/8"


def test_two_shards_at_once_make_the_table_of_one_run(filled, tmp_path):
    encoder = load_encoder("fingerprint")
    whole = open_table(filled, encoder, str(tmp_path / "whole"))
    embed_zoo(filled, encoder, whole)
    parts, results = str(tmp_path / "parts"), {}

    def embed(number: int) -> None:
        table = open_table(filled, encoder, parts)
        results[number] = embed_zoo(filled, encoder, table, shard=Shard(number, 2))

    threads = [threading.Thread(target=embed, args=[number]) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(open_table(filled, encoder, parts)) == held(whole)
    assert sorted(entry.id for result in results.values() for entry in result.done) == sorted(held(whole))


def test_the_last_shard_marks_the_table_as_current(filled):
    encoder = load_encoder("fingerprint")
    for number, current in ((1, False), (2, True)):
        embed_zoo(filled, encoder, open_table(filled, encoder, None), shard=Shard(number, 2))
        assert is_current(filled, open_table(filled, encoder, None)) is current


def test_a_shard_that_is_run_again_computes_nothing(filled, monkeypatch):
    encoder = load_encoder("fingerprint")
    first = embed_zoo(filled, encoder, open_table(filled, encoder, None), shard=Shard(1, 2))
    monkeypatch.setattr(encoder, "embed", lambda items: np.zeros((0, encoder.dimension)))
    again = embed_zoo(filled, encoder, open_table(filled, encoder, None), shard=Shard(1, 2))
    assert [entry.id for entry in again.done] == [entry.id for entry in first.done]
    assert all(entry.skipped for entry in again.done)
