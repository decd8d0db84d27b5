"""Two processes that write to one table and are killed again and again, while a third reads it."""

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
import store_writer

from wembed.store import EmbeddingTable


@dataclass
class Writer:
    """A process that writes, each time that it is started from where it was killed."""

    uri: str
    name: str
    kept: list[int] = field(default_factory=list)
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it and waits until it is about to write."""
        first = self.kept[-1] + 1 if self.kept else 0
        command = [sys.executable, store_writer.__file__, self.uri, self.name, str(first)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def kill(self) -> None:
        """Kills it and takes down what it had been told is kept."""
        self.process.kill()
        out, error = self.process.communicate()
        assert (self.process.returncode, error) == (-9, "")
        self.kept += [int(line) for line in out.split()]


def check(table: EmbeddingTable, writers: list[Writer]) -> None:
    """What has been acknowledged is there; no row is there twice, no batch in part, no vector torn."""
    rows = table.rows(None, ["id", "run"])
    assert max(Counter(row["id"] for row in rows).values(), default=0) <= 1
    sizes = Counter(row["run"] for row in rows)
    assert set(sizes.values()) <= {store_writer.SIZE // 2}
    assert {f"{writer.name}-{number}" for writer in writers for number in writer.kept} <= set(sizes)
    for block in table.blocks():
        ids = [row["id"] for row in block.take(range(len(block.vectors)), ["id"])]
        assert all(
            np.array_equal(store_writer.vector(id), vector) for id, vector in zip(ids, block.vectors, strict=True)
        )


def search(table: EmbeddingTable, id: str) -> str:
    """The id of the row that is nearest to the vector of an id."""
    query, best = store_writer.vector(id), (-2.0, "")
    for block in table.blocks():
        scores = block.vectors @ query / np.linalg.norm(block.vectors, axis=1)
        place = int(scores.argmax())
        best = max(best, (float(scores[place]), str(block.take([place], ["id"])[0]["id"])))
    return best[1]


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_writers_lose_nothing_double_nothing_and_tear_nothing(tmp_path, kills):
    chance, uri = random.Random(kills), str(tmp_path)
    writers = [Writer(uri, "a"), Writer(uri, "b")]
    for writer in writers:
        writer.start()
    for number in range(kills):
        known = [f"{writer.name}-{writer.kept[-1]}-0" for writer in writers if writer.kept]
        moment = time.monotonic() + chance.uniform(0, 1)
        while time.monotonic() < moment or known:
            table = EmbeddingTable(uri, "e", store_writer.DIMENSION)
            check(table, writers)
            assert all(search(table, id) == id for id in known)
            known = []
        writer = writers[number % 2]
        writer.kill()
        writer.start()
    for writer in writers:
        writer.kill()
    table = EmbeddingTable(uri, "e", store_writer.DIMENSION)
    check(table, writers)
    assert sum(len(writer.kept) for writer in writers) > kills
    table.upsert(store_writer.batch("c", 0))
    assert search(table, "c-0-0") == "c-0-0"
