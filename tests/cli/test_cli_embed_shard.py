"""`wembed embed --shard` and `--engine ray`: what they do, and what contradicts them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from wembed.store import EmbeddingTable


@pytest.fixture
def filled(run, write) -> Path:
    """A zoo of eight networks."""
    for seed in range(8):
        write(Path("models") / f"m{seed}.safetensors", seed)
    assert run("zoo", "add", "models").code == 0
    return Path("zoo")


def table(folder: str) -> dict[str, list[float]]:
    (place,) = Path(folder).glob("*.lance")
    rows = EmbeddingTable(folder, place.stem, _dimension(place))
    return {id: vector.tolist() for id, vector in rows.find([f"m{seed}" for seed in range(8)]).items()}


def _dimension(place: Path) -> int:
    import lance

    return lance.dataset(str(place)).schema.field("vector").type.list_size


def test_shards_embed_disjoint_parts_into_one_table(run, filled):
    parts = [
        json.loads(run("embed", "--shard", f"{number}/3", "--store", "parts", "--json").out) for number in (1, 2, 3)
    ]
    assert sorted(row["id"] for part in parts for row in part) == [f"m{seed}" for seed in range(8)]
    assert run("embed", "--store", "whole").code == 0
    assert table("parts") == table("whole")


def test_a_shards_vectors_can_be_saved(run, filled):
    found = json.loads(run("embed", "--shard", "1/2", "-o", "x.npz", "--json").out)
    with np.load("x.npz") as saved:
        assert saved["ids"].tolist() == [row["id"] for row in found]


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["--shard", "0/3"], "--shard is '0/3', expected the form 3/8", "the shards of 8 are 1/8 to 8/8"),
        (["m0", "--shard", "1/3"], "--shard and --engine ray are for a whole zoo", "leave out the checkpoints"),
        (["m0", "--engine", "ray"], "--shard and --engine ray are for a whole zoo", "leave out the checkpoints"),
        (["--shard", "1/3", "--engine", "ray"], "--shard and --engine ray contradict each other", "Ray makes shards"),
        (["--workers", "2"], "--address and --workers go with --engine ray", "add --engine ray"),
        (["--address", "auto"], "--address and --workers go with --engine ray", "add --engine ray"),
    ],
)
def test_options_that_contradict_each_other_are_refused(run, arguments, said, hint):
    result = run("embed", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert hint in result.err


def test_without_ray_the_extra_is_named(run, filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("embed", "--engine", "ray")
    assert result.code == 2
    assert "--engine ray needs Ray, which isn't installed" in result.err
    assert "pip install 'wembed-zoo[ray]'" in result.err


@pytest.mark.slow
def test_two_ray_workers_make_the_table_of_one_process(spawn, run, filled):
    pytest.importorskip("ray")
    call = spawn("embed", "--engine", "ray", "--workers", "2", "--store", "ray", "-o", "ray.npz", "--json")
    out, error = call.communicate(timeout=300)
    assert (call.returncode, error) == (0, "")
    assert [row["id"] for row in json.loads(out)] == [f"m{seed}" for seed in range(8)]
    assert run("embed", "--store", "whole", "-o", "whole.npz").code == 0
    assert table("ray") == table("whole")
    with np.load("ray.npz") as ray, np.load("whole.npz") as whole:
        assert np.array_equal(ray["embeddings"], whole["embeddings"])


@pytest.mark.parametrize(("address", "said"), [("127.0.0.1:9", "connection refused"), ("ray://127.0.0.1:9", "")])
def test_a_cluster_that_is_not_there_is_one_line(run, filled, address, said):
    pytest.importorskip("ray")
    result = run("embed", "--engine", "ray", "--address", address)
    assert (result.code, result.out) == (1, "")
    assert f"cannot reach Ray at {address}: " in result.err
    assert said in result.err.lower()
