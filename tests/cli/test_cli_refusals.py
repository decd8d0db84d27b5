"""`search` with what must be refused: exit 4, one line that says why, nothing executed, nothing read outside."""

import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import write_safetensors


class Creator:
    """A pickle that creates a file when it is loaded carelessly."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def one_weight(value: float = 1.0) -> dict:
    return {"0.weight": ("F32", np.full((2, 3), value, np.float32))}


def truncated(path: Path) -> None:
    write_safetensors(path, one_weight(), {})
    path.write_bytes(path.read_bytes()[:-5])


def broken_spec(path: Path) -> None:
    write_safetensors(path, one_weight(), {"wembed.spec": json.dumps({"format": 1, "tier": "given"})})


def negative_variance(path: Path) -> None:
    ones = ("F32", np.ones(4, np.float32))
    norm = {f"1.{name}": ones for name in ("weight", "bias", "running_mean")}
    norm["1.running_var"] = ("F32", np.full(4, -1.0, np.float32))
    weights = {"0.weight": ("F32", np.ones((4, 3), np.float32)), "2.weight": ("F32", np.ones((2, 4), np.float32))}
    write_safetensors(path, weights | norm, {})


CASES = {
    "truncated.safetensors": (truncated, "truncated"),
    "huge.safetensors": (lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}"), "header"),
    "empty.safetensors": (lambda path: path.write_bytes(b""), "empty"),
    "unsafe.pt": (lambda path: path.write_bytes(pickle.dumps({"w": Creator()}, protocol=2)), "unsafe pickle"),
    "nan.safetensors": (lambda path: write_safetensors(path, one_weight(np.nan), {}), "finite"),
    "network.onnx": (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"), "onnx files are not read"),
    "spec.safetensors": (broken_spec, "its metadata holds a broken spec"),
    "variance.safetensors": (negative_variance, "1.running_var holds -1, expected a variance above 0"),
    "vector.safetensors": (
        lambda path: write_safetensors(path, {"w": ("F32", np.ones(3, np.float32))}, {}),
        "nothing to embed",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("command", ["search", "zoo add", "embed"])
def test_what_cannot_be_trusted_is_refused(run, folder, write, name, command):
    run("zoo", "add", write(folder / "kept.safetensors"))
    make, message = CASES[name]
    make(folder / name)
    result = run(*command.split(), folder / name)
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert result.code == 4
    assert message in errors[0]
    assert name in errors[0]
    assert not Path("executed").exists()


def test_a_file_that_is_not_finite_is_not_permuted(run, folder):
    weights = {"0.weight": ("F32", np.ones((4, 3), np.float32)), "2.weight": ("F32", np.ones((2, 4), np.float32))}
    weights["2.bias"] = ("F32", np.full(2, np.inf, np.float32))
    write_safetensors(folder / "inf.safetensors", weights, {})
    result = run("permute", folder / "inf.safetensors", "-o", folder / "out.safetensors")
    assert result.code == 4
    assert "2.bias" in result.err
    assert not (folder / "out.safetensors").exists()


@pytest.mark.parametrize(
    "shard", ["../outside.safetensors", "/absolute/outside.safetensors", "a/../../outside.safetensors"]
)
def test_an_index_never_leads_outside_its_folder(run, folder, write, shard):
    run("zoo", "add", write(folder / "kept.safetensors"))
    outside = write(folder / "outside.safetensors")
    outside.chmod(0)
    inside = folder / "model"
    inside.mkdir()
    index = {"metadata": {}, "weight_map": {"0.weight": shard}}
    (inside / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    result = run("search", inside)
    assert result.code == 4
    assert "outside" in result.err
    assert "model" in result.err
