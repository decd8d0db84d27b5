import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.symmetry import permute
from wembed.zoo import AddOptions, add, spec_for
from wembed.zoo.duplicates import Duplicates, find_duplicates, zoo_vectors

BF16, FP16 = "BF16", "F16"


def taken_in(zoo: Zoo, *paths: Path) -> list[CatalogRow]:
    add(zoo, list(paths), AddOptions())
    return zoo.rows()


def found_in(zoo: Zoo) -> Duplicates:
    return find_duplicates(zoo, zoo.rows(), zoo_vectors(zoo, "fingerprint", None).by_id)


def summary(found: Duplicates) -> list[list[tuple[str, str | None]]]:
    return [[(entry.row.id, entry.reason) for entry in group] for group in found.groups]


def reordered(path: Path, out: Path, seed: int = 0) -> Path:
    checkpoint = open_checkpoint(path)
    permute(checkpoint, spec_for(None, checkpoint), out, np.random.default_rng(seed), rescale=False)
    return out


def changed(path: Path, out: Path, change: Callable[[np.ndarray], np.ndarray], dtype: str = "F32") -> Path:
    checkpoint = open_checkpoint(path)
    values = {name: (dtype, encode(change(checkpoint.read(name)), dtype)) for name in checkpoint.tensors}
    write_safetensors(out, values, checkpoint.metadata)
    return out


def rounded(path: Path, out: Path, dtype: str = BF16) -> Path:
    return changed(path, out, lambda values: values, dtype)


def with_noise(path: Path, out: Path, size: float, dtype: str = "F32") -> Path:
    random = np.random.default_rng(1)

    def noisy(values: np.ndarray) -> np.ndarray:
        return (values + size * np.sqrt((values**2).mean()) * random.standard_normal(values.shape)).astype(np.float32)

    return changed(path, out, noisy, dtype)


@pytest.fixture
def first(tmp_path, write) -> Path:
    return write(tmp_path / "first.safetensors", hidden=12)


def test_another_order_of_neurons_is_the_same_network(zoo, tmp_path, first):
    taken_in(zoo, first, reordered(first, tmp_path / "second.safetensors"))
    assert summary(found_in(zoo)) == [[("first", None), ("second", "same up to symmetry")]]


@pytest.mark.parametrize("dtype", [BF16, FP16])
def test_a_coarser_format_is_the_same_network(zoo, tmp_path, first, dtype):
    taken_in(zoo, first, rounded(first, tmp_path / "second.safetensors", dtype))
    assert summary(found_in(zoo)) == [[("first", None), ("second", "same up to dtype")]]


def test_reordered_and_rounded_is_the_same_network(zoo, tmp_path, first):
    taken_in(zoo, first, rounded(reordered(first, tmp_path / "a.safetensors"), tmp_path / "second.safetensors"))
    assert summary(found_in(zoo)) == [[("first", None), ("second", "same up to symmetry and dtype")]]


@pytest.mark.parametrize("dtype", ["F32", BF16])
def test_noise_as_small_as_rounding_makes_another_network(zoo, tmp_path, first, dtype):
    taken_in(zoo, first, with_noise(first, tmp_path / "second.safetensors", 1e-3, dtype))
    assert summary(found_in(zoo)) == []


def test_one_axis_reordered_without_the_others_is_another_network(zoo, tmp_path, first):
    checkpoint = open_checkpoint(first)
    tensors = {name: ("F32", checkpoint.read(name)) for name in checkpoint.tensors}
    tensors["0.weight"] = ("F32", np.ascontiguousarray(checkpoint.read("0.weight")[::-1]))
    write_safetensors(tmp_path / "second.safetensors", tensors, {})
    taken_in(zoo, first, tmp_path / "second.safetensors")
    assert summary(found_in(zoo)) == []


def test_quantised_weights_of_unknown_scales_make_another_network(zoo, tmp_path, first):
    checkpoint = open_checkpoint(first)
    tensors = {name: ("F32", checkpoint.read(name)) for name in checkpoint.tensors}
    paths = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for number, path in enumerate(paths):
        write_safetensors(path, {**tensors, "q.weight": ("I8", np.full((4, 3), number, np.int8))}, {})
    taken_in(zoo, *paths)
    assert summary(found_in(zoo)) == []


def test_a_copy_of_a_file_is_identical(zoo, tmp_path, first):
    (tmp_path / "second.safetensors").write_bytes(first.read_bytes())
    rows = taken_in(zoo, first, tmp_path / "second.safetensors")
    assert len(rows) == 2
    found = found_in(zoo)
    assert summary(found) == [[("first", None), ("second", "identical file")]]
    assert found.saved == rows[1].bytes


def test_the_same_weights_in_another_file_are_identical_weights(zoo, tmp_path, first):
    checkpoint = open_checkpoint(first)
    tensors = {name: ("F32", checkpoint.read(name)) for name in checkpoint.tensors}
    write_safetensors(tmp_path / "second.safetensors", tensors, {"note": "another"})
    taken_in(zoo, first, tmp_path / "second.safetensors")
    assert summary(found_in(zoo)) == [[("first", None), ("second", "identical weights")]]


def test_the_finest_format_is_kept_though_it_is_the_newest(zoo, tmp_path, first):
    taken_in(zoo, rounded(first, tmp_path / "coarse.safetensors"))
    taken_in(zoo, first)
    assert summary(found_in(zoo)) == [[("first", None), ("coarse", "same up to dtype")]]


def test_the_oldest_of_one_format_is_kept(zoo, tmp_path, first):
    taken_in(zoo, first, reordered(first, tmp_path / "second.safetensors"))
    rows = [dataclasses.replace(row, added=f"2026-01-0{9 - number}") for number, row in enumerate(zoo.rows())]
    found = find_duplicates(zoo, rows, zoo_vectors(zoo, "fingerprint", None).by_id)
    assert found.groups[0][0].row.id == "second"


def test_strangers_of_one_structure_are_no_duplicates(zoo, tmp_path, write):
    taken_in(zoo, *(write(tmp_path / f"{seed}.safetensors", seed) for seed in range(6)))
    assert summary(found_in(zoo)) == []


def test_a_file_that_is_gone_is_passed_over_with_its_reason(zoo, tmp_path, first):
    taken_in(zoo, first, reordered(first, tmp_path / "second.safetensors"))
    vectors = zoo_vectors(zoo, "fingerprint", None).by_id
    first.unlink()
    found = find_duplicates(zoo, zoo.rows(), vectors)
    assert found.groups == []
    assert "first.safetensors" in found.unread[0].message
