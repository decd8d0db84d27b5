import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import safetensors.numpy

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError, NotFoundError


def test_names_shapes_and_metadata_are_known_on_opening(valid, arrays):
    checkpoint = open_checkpoint(valid)
    assert list(checkpoint.tensors) == list(arrays)
    assert {name: info.shape for name, info in checkpoint.tensors.items()} == {n: a.shape for n, a in arrays.items()}
    assert checkpoint.metadata == {"format": "pt"}
    assert checkpoint.files == (valid,)
    assert checkpoint.parameters == 6 + 12 + 3
    assert (checkpoint.prefix, checkpoint.notices, checkpoint.config) == ("", (), {})


def test_values_are_those_that_were_written(valid, arrays):
    checkpoint = open_checkpoint(valid)
    for name, array in arrays.items():
        np.testing.assert_array_equal(checkpoint.read(name), array)
        np.testing.assert_array_equal(checkpoint.read_stored(name), array)


def test_values_have_native_dtypes_and_half_precision_is_widened(valid):
    checkpoint = open_checkpoint(valid)
    found = {name: checkpoint.read(name).dtype.name for name in checkpoint.tensors}
    expected = {"fc2.weight": "float32", "fc1.weight": "float64", "fc1.bias": "float32", "steps": "int64"}
    assert found == expected | {"mask": "bool"}
    assert checkpoint.read_stored("fc1.bias").dtype == np.float16


def test_reads_what_the_safetensors_library_writes(tmp_path, arrays):
    path = tmp_path / "library.safetensors"
    safetensors.numpy.save_file(arrays, path, {"a": "b"})
    checkpoint = open_checkpoint(path)
    assert checkpoint.metadata == {"a": "b"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(checkpoint.read_stored(name), array)


def test_a_slice_is_a_slice_of_the_values(valid, arrays):
    checkpoint = open_checkpoint(valid)
    found = checkpoint.read_slice("fc1.weight", [np.array([0, 2]), slice(1, 3)])
    np.testing.assert_array_equal(found, arrays["fc1.weight"][[0, 2], 1:3])
    assert checkpoint.read_slice("fc1.bias", [slice(1, None)]).dtype == np.float32
    np.testing.assert_array_equal(checkpoint.read_slice("steps", []), arrays["steps"])


def test_a_slice_is_refused_for_what_is_not_finite_in_it(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    values[2, 1] = np.inf
    write_safetensors(tmp_path / "w.safetensors", {"w": ("F32", values)}, {})
    checkpoint = open_checkpoint(tmp_path / "w.safetensors")
    assert checkpoint.read_slice("w", [slice(0, 2), slice(None)]).shape == (2, 3)
    with pytest.raises(CheckpointRefusedError, match=r"1 of 12 values are NaN or infinite, the first at \[2, 1\]"):
        checkpoint.read_slice("w", [slice(2, 4), slice(None)])


def test_misaligned_and_empty_tensors_are_read(craft):
    header = {
        "flag": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "w": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]},
        "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [9, 9]},
    }
    checkpoint = open_checkpoint(craft(header, b"\1" + np.array([1, 2], "<f4").tobytes()))
    assert checkpoint.read("w").tolist() == [1, 2]
    assert checkpoint.read("w").flags.aligned
    assert checkpoint.read_slice("w", [slice(1, 2)]).flags.aligned
    assert checkpoint.read_slice("w", [slice(1, 2)]).tolist() == [2]
    assert checkpoint.read("none").shape == (0, 3)
    assert len(checkpoint.content_hash()) == 64


def test_writing_to_an_array_leaves_the_file_as_it_is(valid):
    checkpoint = open_checkpoint(valid)
    before = checkpoint.file_hash()
    checkpoint.read("fc2.weight")[:] = 0
    assert checkpoint.file_hash() == before
    assert checkpoint.read("fc2.weight").any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_reading_a_tensor_that_is_not_finite_names_file_tensor_and_place(tmp_path, value):
    path = tmp_path / "broken.safetensors"
    array = np.ones((2, 3), np.float32)
    array[1, 1:] = value
    write_safetensors(path, {"good": ("F32", np.ones(1, np.float32)), "bad": ("F32", array)}, {})
    checkpoint = open_checkpoint(path)
    assert checkpoint.read("good").tolist() == [1]
    np.testing.assert_array_equal(checkpoint.read_stored("bad"), array)
    with pytest.raises(CheckpointRefusedError) as caught:
        checkpoint.read("bad")
    expected = "tensor 'bad': 2 of 6 values are NaN or infinite, the first at [1, 1]"
    assert caught.value.message == f"{path}: {expected}"


@pytest.mark.parametrize(("dtype", "code"), [("BF16", 0x7FC0), ("F8_E4M3", 0x7F), ("F8_E5M2", 0x7C)])
def test_narrow_floats_that_are_not_finite_are_refused(tmp_path, dtype, code):
    path = tmp_path / "broken.safetensors"
    write_safetensors(path, {"w": (dtype, np.array([code], np.uint16 if dtype == "BF16" else np.uint8))}, {})
    with pytest.raises(CheckpointRefusedError, match=r"1 of 1 values are NaN or infinite, the first at \[0\]"):
        open_checkpoint(path).read("w")


def test_file_that_shrinks_after_opening_is_refused(valid):
    checkpoint = open_checkpoint(valid)
    os.truncate(valid, 100)
    with pytest.raises(CheckpointRefusedError, match="tensor 'mask' cannot be read, the file has changed"):
        checkpoint.read("mask")


def test_missing_path_is_not_found(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        open_checkpoint(tmp_path / "nowhere.safetensors")
    assert caught.value.message == f"{tmp_path / 'nowhere.safetensors'}: no such file or folder"


def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(CheckpointRefusedError, match="neither a file nor a folder"):
        open_checkpoint(tmp_path / "pipe.pt")


def test_operating_system_error_is_one_line(valid, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(valid)
    assert caught.value.message == f"{valid}: cannot be read: permission denied"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.model."])
def test_wrapper_prefix_on_every_name_is_stripped_and_kept_for_writers(tmp_path, stored, prefix):
    path = tmp_path / "wrapped.safetensors"
    write_safetensors(path, {prefix + name: value for name, value in stored.items()}, {})
    checkpoint = open_checkpoint(path)
    assert list(checkpoint.tensors) == list(stored)
    assert checkpoint.tensors["fc1.bias"].name == "fc1.bias"
    assert checkpoint.prefix == prefix
    assert checkpoint.notices == (f"prefix '{prefix}' stripped from 5 names",)
    np.testing.assert_array_equal(checkpoint.read("fc1.weight"), stored["fc1.weight"][1])


def test_prefix_that_one_name_lacks_stays(tmp_path, stored):
    path = tmp_path / "half.safetensors"
    names = {"module." + name if name != "steps" else name: value for name, value in stored.items()}
    write_safetensors(path, names, {})
    assert list(open_checkpoint(path).tensors) == list(names)


def test_prefix_that_is_the_whole_name_stays(tmp_path):
    path = tmp_path / "odd.safetensors"
    write_safetensors(path, {"model.": ("F32", np.ones(1, np.float32))}, {})
    assert list(open_checkpoint(path).tensors) == ["model."]


def test_torch_is_not_imported_for_safetensors(valid):
    code = f"""
        import sys
        from pathlib import Path
        from wembed.checkpoint import find_checkpoints, open_checkpoint, write_safetensors
        checkpoint = open_checkpoint(find_checkpoints(Path({str(valid.parent)!r}))[0])
        tensors = {{n: (i.dtype, checkpoint.read_stored(n)) for n, i in checkpoint.tensors.items()}}
        [checkpoint.read(name) for name in checkpoint.tensors]
        checkpoint.content_hash()
        write_safetensors(Path({str(valid)!r}), tensors, {{}})
        assert "torch" not in sys.modules
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)
