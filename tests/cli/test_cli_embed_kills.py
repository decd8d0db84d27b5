"""`wembed embed` killed in the middle: what it has written stays, and the next call does what is left."""

import json
from pathlib import Path

import lance
import numpy as np
import pytest

from wembed.store import EmbeddingTable

SMALL_CHUNKS = "import wembed.zoo.embed.chunks as chunks; chunks.CHUNK = chunks.Bounds(2, 10**6); "
NETWORKS = 40


def opened(store: str) -> EmbeddingTable | None:
    """The one table of a store; None as long as there is none."""
    for place in Path(store).glob("*.lance/_versions/*"):
        table = place.parent.parent
        dimension = lance.dataset(str(table)).schema.field("vector").type.list_size
        return EmbeddingTable(store, table.stem, dimension)
    return None


def vectors(store: str) -> dict[str, np.ndarray]:
    table = opened(store)
    ids = [row["id"] for row in table.rows(None, ["id"])] if table else []
    assert len(ids) == len(set(ids))
    return table.find(ids) if table else {}


@pytest.mark.slow
def test_shards_that_are_killed_are_run_again_and_keep_what_they_had(spawn, run, write):
    for seed in range(NETWORKS):
        write(Path("models") / f"m{seed}.safetensors", seed)
    assert run("zoo", "add", "models").code == 0
    kept: set[str] = set()
    for number in (1, 2, 1):
        calls = [spawn("embed", "--shard", f"{n}/2", "--store", "broken", before=SMALL_CHUNKS) for n in (1, 2)]
        while len(vectors("broken")) <= len(kept) and calls[number - 1].poll() is None:
            pass
        for call in calls:
            call.kill()
            call.communicate()
        assert kept <= set(vectors("broken"))
        kept = set(vectors("broken"))
    assert kept
    results = [json.loads(run("embed", "--shard", f"{n}/2", "--store", "broken", "--json").out) for n in (1, 2)]
    assert kept == {row["id"] for rows in results for row in rows if row["skipped"]}
    assert run("embed", "--store", "whole").code == 0
    broken, whole = vectors("broken"), vectors("whole")
    assert broken.keys() == whole.keys()
    assert len(whole) == NETWORKS
    assert all(np.array_equal(broken[id], whole[id]) for id in whole)
