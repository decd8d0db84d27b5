import os
import stat

import numpy as np
import pytest
import safetensors.torch
import torch

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.errors import NotFoundError, UsageError, WembedError

NARROW = {"BF16": torch.bfloat16, "F16": torch.float16, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}


def test_written_file_is_what_the_safetensors_library_reads(tmp_path, valid, arrays):
    loaded = safetensors.torch.load_file(valid)
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name].numpy(), array)
    with safetensors.safe_open(valid, "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_every_tensor_lies_aligned_and_the_header_keeps_the_order_given(tmp_path):
    path = tmp_path / "mixed.safetensors"
    tensors = {"a": ("U8", np.ones(3, np.uint8)), "b": ("F64", np.ones(1)), "c": ("F32", np.ones(1, np.float32))}
    write_safetensors(path, tensors, {})
    checkpoint = open_checkpoint(path)
    assert list(checkpoint.tensors) == ["a", "b", "c"]
    assert {name: value.tolist() for name, value in safetensors.torch.load_file(path).items()} == {
        "a": [1, 1, 1],
        "b": [1],
        "c": [1],
    }


def test_one_input_gives_one_file_of_bytes(tmp_path, stored):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    write_safetensors(paths[0], stored, {"a": "1", "b": "2"})
    write_safetensors(paths[1], stored, {"b": "2", "a": "1"})
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_all_finite_narrow_floats_have_torchs_values_and_survive_a_round_trip(tmp_path, dtype, suffix):
    wide = dtype in ("BF16", "F16")
    codes = torch.arange(2**16 if wide else 2**8).to(torch.uint16 if wide else torch.uint8)
    values = codes.view(NARROW[dtype])
    values = values[values.float().isfinite()]
    source = tmp_path / f"source{suffix}"
    torch.save({"w": values}, source) if suffix == ".pt" else safetensors.torch.save_file({"w": values}, source)
    checkpoint = open_checkpoint(source)
    assert checkpoint.tensors["w"].dtype == dtype
    assert checkpoint.read("w").dtype == np.float32
    np.testing.assert_array_equal(checkpoint.read("w").view(np.uint32), values.float().numpy().view(np.uint32))
    copy = tmp_path / "copy.safetensors"
    write_safetensors(copy, {"w": (dtype, checkpoint.read_stored("w"))}, {})
    assert open_checkpoint(copy).content_hash() == checkpoint.content_hash()
    assert torch.equal(safetensors.torch.load_file(copy)["w"].float(), values.float())


def test_views_that_are_not_contiguous_are_written(tmp_path):
    path = tmp_path / "view.safetensors"
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_safetensors(path, {"w": ("F32", array)}, {})
    np.testing.assert_array_equal(open_checkpoint(path).read("w"), array)


def test_file_that_is_being_read_may_be_replaced(valid, arrays):
    checkpoint = open_checkpoint(valid)
    array = checkpoint.read_stored("fc1.weight")
    write_safetensors(valid, {"fc1.weight": ("F64", array)}, {})
    np.testing.assert_array_equal(array, arrays["fc1.weight"])
    assert list(open_checkpoint(valid).tensors) == ["fc1.weight"]


def test_file_has_the_permissions_of_any_new_file(valid, tmp_path):
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(valid.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_failure_leaves_the_old_file_and_nothing_else(valid, stored, monkeypatch):
    before = valid.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WembedError) as caught:
        write_safetensors(valid, stored, {})
    assert caught.value.message == f"{valid}: could not be written: no space left on device"
    assert valid.read_bytes() == before
    assert list(valid.parent.iterdir()) == [valid]


def test_interruption_leaves_nothing_behind(tmp_path, stored, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_safetensors(tmp_path / "new.safetensors", stored, {})
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_not_found_with_a_hint(tmp_path, stored):
    path = tmp_path / "new" / "x.safetensors"
    with pytest.raises(NotFoundError) as caught:
        write_safetensors(path, stored, {})
    assert caught.value.message == f"{path}: its folder does not exist"
    assert caught.value.hint == f"mkdir -p {path.parent}"


def test_other_suffix_is_a_usage_error(tmp_path, stored):
    path = tmp_path / "x.pt"
    with pytest.raises(UsageError) as caught:
        write_safetensors(path, stored, {})
    assert caught.value.message == f"{path}: is written as safetensors, found suffix '.pt'"


def test_name_of_a_folder_is_a_usage_error(tmp_path, stored):
    path = tmp_path / "x.safetensors"
    path.mkdir()
    with pytest.raises(UsageError, match="is a folder, expected a file name"):
        write_safetensors(path, stored, {})


def test_array_that_does_not_lie_as_its_dtype_says_is_a_mistake_of_ours(tmp_path):
    with pytest.raises(ValueError, match="tensor 'w': BF16 lies as uint16, found float32"):
        write_safetensors(tmp_path / "x.safetensors", {"w": ("BF16", np.ones(2, np.float32))}, {})
    assert list(tmp_path.iterdir()) == []
