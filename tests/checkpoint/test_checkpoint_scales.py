"""Quantised weights read as their elements times their scales; they are hashed as stored, and never copied."""

from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import to_values
from wembed.errors import CheckpointRefusedError

ROWS, COLUMNS = 200, 150
GENERATOR = np.random.default_rng(0)
WEIGHT = GENERATOR.normal(size=(ROWS, COLUMNS)).astype(np.float32)
BIAS = GENERATOR.normal(size=ROWS).astype(np.float32)
CODES = to_values("F8_E4M3", np.arange(127, dtype=np.uint8))  # the non-negative ones, in order


def as_fp8(values: np.ndarray) -> np.ndarray:
    """The nearest E4M3 of each value."""
    above = np.searchsorted((CODES[1:] + CODES[:-1]) / 2, np.abs(values))
    return (above + np.where(values < 0, 128, 0)).astype(np.uint8)


def save(path: Path, dtype: str, weight: np.ndarray, scale_name: str, scale: np.ndarray, **more) -> Path:
    tensors = {"fc.weight": (dtype, weight), f"fc.{scale_name}": ("F32", scale.astype(np.float32))}
    write_safetensors(path, tensors | {"fc.bias": ("F32", BIAS)} | more, {})
    return path


def by_row() -> np.ndarray:
    return np.abs(WEIGHT).max(1, keepdims=True)


def bitsandbytes(path: Path) -> Path:
    return save(path, "I8", np.rint(WEIGHT / by_row() * 127).astype(np.int8), "SCB", by_row()[:, 0])


def one_scale(path: Path) -> Path:
    scale = np.abs(WEIGHT).max() / 448
    return save(path, "F8_E4M3", as_fp8(WEIGHT / scale), "weight_scale", np.array(scale))


def one_scale_each(path: Path) -> Path:
    return save(path, "F8_E4M3", as_fp8(WEIGHT / by_row() * 448), "weight_scale", by_row() / 448)


def int8_by_row(path: Path) -> Path:
    return save(path, "I8", np.rint(WEIGHT / by_row() * 127).astype(np.int8), "weight_scale", by_row() / 127)


def blocks(path: Path) -> Path:
    scales = np.array([[np.abs(WEIGHT[i : i + 128, j : j + 128]).max() / 448 for j in (0, 128)] for i in (0, 128)])
    spread = np.kron(scales, np.ones((128, 128)))[:ROWS, :COLUMNS]
    return save(path, "F8_E4M3", as_fp8(WEIGHT / spread), "weight_scale_inv", scales)


FORMATS = (bitsandbytes, one_scale, one_scale_each, int8_by_row, blocks)


@pytest.mark.parametrize("write", FORMATS)
def test_elements_are_multiplied_by_their_scales(write, tmp_path):
    checkpoint = open_checkpoint(write(tmp_path / "q.safetensors"))
    values = checkpoint.read("fc.weight")
    assert values.dtype == np.float32
    assert checkpoint.tensors["fc.weight"].is_floating
    assert list(checkpoint.tensors) == ["fc.weight", "fc.bias"]
    assert checkpoint.parameters == ROWS * COLUMNS + ROWS
    largest = np.abs(WEIGHT).max()
    step = by_row() / 127 if write in (bitsandbytes, int8_by_row) else np.maximum(np.abs(WEIGHT) / 8, largest / 2e5)
    assert (np.abs(values - WEIGHT) <= step / 2 * 1.001).all()


@pytest.mark.parametrize("write", FORMATS)
def test_a_slice_is_a_slice_of_what_is_read(write, tmp_path):
    checkpoint = open_checkpoint(write(tmp_path / "q.safetensors"))
    whole, rows = checkpoint.read("fc.weight"), np.array([3, 127, 128, 199])
    found = checkpoint.read_slice("fc.weight", [rows, slice(120, 140)])
    np.testing.assert_array_equal(found, whole[rows, 120:140])


@pytest.mark.parametrize("write", FORMATS)
def test_a_notice_says_what_was_multiplied(write, tmp_path):
    assert open_checkpoint(write(tmp_path / "q.safetensors")).notices == ("1 quantised tensor read times its scales",)


def test_the_scale_of_activations_is_no_weight(tmp_path):
    more = {"fc.input_scale": ("F32", np.ones(1, np.float32))}
    scale = np.abs(WEIGHT).max() / 448
    path = tmp_path / "q.safetensors"
    save(path, "F8_E4M3", as_fp8(WEIGHT / scale), "weight_scale", np.array([scale]), **more)
    assert list(open_checkpoint(path).tensors) == ["fc.weight", "fc.bias"]


def test_scales_of_another_shape_stay_tensors_of_their_own(tmp_path):
    path = save(tmp_path / "q.safetensors", "I8", np.ones((4, 3), np.int8), "SCB", np.ones(3))
    checkpoint = open_checkpoint(path)
    assert not checkpoint.tensors["fc.weight"].is_floating
    assert "fc.SCB" in checkpoint.tensors
    assert checkpoint.read("fc.weight").dtype == np.int8


def test_zero_points_are_not_understood(tmp_path):
    more = {"fc.weight_zero_point": ("I8", np.ones((4, 1), np.int8))}
    path = tmp_path / "q.safetensors"
    save(path, "I8", np.ones((4, 3), np.int8), "weight_scale", np.ones((4, 1)), **more)
    assert not open_checkpoint(path).tensors["fc.weight"].is_floating


def test_the_hash_covers_elements_and_scales(tmp_path):
    elements = np.ones((4, 3), np.int8)
    found = set()
    for number, (weight, scale) in enumerate(((1, 1), (2, 1), (1, 2))):
        path = save(tmp_path / f"{number}.safetensors", "I8", elements * np.int8(weight), "SCB", scale * np.ones(4))
        found.add(open_checkpoint(path).content_hash())
    assert len(found) == 3


def test_the_hash_does_not_depend_on_a_wrapper(tmp_path):
    stored = {"fc.weight": ("I8", np.ones((4, 3), np.int8)), "fc.SCB": ("F32", np.ones(4, np.float32))}
    write_safetensors(tmp_path / "plain.safetensors", stored, {})
    write_safetensors(tmp_path / "wrapped.safetensors", {f"module.{n}": v for n, v in stored.items()}, {})
    plain, wrapped = (open_checkpoint(tmp_path / f"{name}.safetensors") for name in ("plain", "wrapped"))
    assert plain.content_hash() == wrapped.content_hash()
    np.testing.assert_array_equal(plain.read("fc.weight"), wrapped.read("fc.weight"))


def test_quantised_elements_are_not_given_without_their_scales(tmp_path):
    checkpoint = open_checkpoint(bitsandbytes(tmp_path / "q.safetensors"))
    with pytest.raises(CheckpointRefusedError, match=r"tensor 'fc.weight' is I8 with scales, which is read and not"):
        checkpoint.read_stored("fc.weight")


def test_a_scale_that_is_not_finite_is_refused(tmp_path):
    path = save(tmp_path / "q.safetensors", "I8", np.ones((4, 3), np.int8), "SCB", np.array([1, np.nan, 1, 1]))
    with pytest.raises(CheckpointRefusedError, match=r"'fc.weight': 3 of 12 values are NaN or infinite"):
        open_checkpoint(path).read("fc.weight")
