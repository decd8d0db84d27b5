"""`wembed embed` on several files of several structures at once: what is told, kept and tried again."""

import json
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import write_safetensors
from wembed.zoo.embed.chunks import Bounds


@pytest.fixture
def mixed(run) -> Path:
    """A zoo of six networks of two widths in turn, and the folder of their files."""
    folder = Path("models")
    folder.mkdir()
    for seed, name in enumerate("abcdef"):
        generator, hidden = np.random.default_rng(seed), 6 + seed % 2
        shapes = {"0.weight": (hidden, 4), "0.bias": (hidden,), "2.weight": (3, hidden), "2.bias": (3,)}
        tensors = {key: ("F32", generator.normal(size=shape).astype(np.float32)) for key, shape in shapes.items()}
        write_safetensors(folder / f"{name}.safetensors", tensors, {})
    assert run("zoo", "add", "models").code == 0
    return folder


def rows(result) -> list[dict]:
    return json.loads(result.out)


def test_a_broken_file_fails_alone_and_only_it_is_tried_again(run, mixed):
    whole = (mixed / "c.safetensors").read_bytes()
    (mixed / "c.safetensors").write_bytes(whole[:-8])
    first = run("embed", "--json")
    assert first.code == 6
    assert [row["id"] for row in rows(first)] == list("abdef")
    assert "c.safetensors: truncated" in first.err
    (mixed / "c.safetensors").write_bytes(whole)
    again = run("embed", "--json")
    assert again.code == 0
    assert [row["id"] for row in rows(again) if not row["skipped"]] == ["c"]


def test_seconds_are_told_of_each(run, mixed):
    found = rows(run("embed", "--json"))
    assert all(0 < row["seconds"] < 60 for row in found)
    assert [row["seconds"] for row in rows(run("embed", "--json"))] == [0.0] * 6


@pytest.mark.parametrize("encoder", ["fingerprint", "gnn"])
def test_chunks_change_neither_order_nor_vectors(run, mixed, monkeypatch, encoder):
    paths = [str(mixed / f"{name}.safetensors") for name in "fbdaec"]
    assert run("embed", *paths, "--encoder", encoder, "--zoo", "none", "-o", "together.npz").code == 0
    monkeypatch.setattr("wembed.zoo.embed.chunks.CHUNK", Bounds(1, 1))
    assert run("embed", *paths, "--encoder", encoder, "--zoo", "none", "-o", "alone.npz").code == 0
    with np.load("together.npz") as together, np.load("alone.npz") as alone:
        assert together["ids"].tolist() == alone["ids"].tolist() == paths
        assert np.abs(together["embeddings"] - alone["embeddings"]).max() <= (0 if encoder == "fingerprint" else 1e-5)
