import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from wembed.checkpoint import open_checkpoint
from wembed.errors import CheckpointRefusedError

ONES = torch.ones(2, 3)


def save(path, value, zipped=True):
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def refusal(path):
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(path)
    text = caught.value.message
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert not text.endswith(".")
    return text.removeprefix(f"{path}: ")


class Marker:
    """Creates a file wherever it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_by_name_and_never_run(tmp_path, zipped):
    marker = tmp_path / "marker"
    path = save(tmp_path / "evil.pt", {"w": ONES, "x": Marker(marker)}, zipped)
    assert refusal(path) == "unsafe pickle: needs posix.mkdir, which is never run"
    assert not marker.exists()


@pytest.mark.parametrize("name", ["evil.pkl", "evil", "evil.pt", "evil.safetensors"])
def test_bare_pickle_is_never_run_whatever_its_name(tmp_path, name):
    marker = tmp_path / "marker"
    (tmp_path / name).write_bytes(pickle.dumps(Marker(marker), protocol=2))
    refusal(tmp_path / name)
    assert not marker.exists()


def test_pickled_module_is_refused_with_a_hint(tmp_path):
    path = save(tmp_path / "module.pt", torch.nn.Linear(2, 2))
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(path)
    assert "needs torch.nn.modules.linear.Linear, which is never run" in caught.value.message
    assert caught.value.hint == "load it where you trust it, and save its state_dict as safetensors"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".th"])
def test_plain_state_dict_is_read(tmp_path, suffix, zipped):
    path = save(tmp_path / f"net{suffix}", {"a.weight": ONES, "n": torch.tensor(3)}, zipped)
    checkpoint = open_checkpoint(path)
    assert {n: (i.dtype, i.shape) for n, i in checkpoint.tensors.items()} == {
        "a.weight": ("F32", (2, 3)),
        "n": ("I64", ()),
    }
    assert checkpoint.read("a.weight").tolist() == ONES.tolist()
    assert checkpoint.notices == ()


def test_parameters_views_and_tied_tensors_are_read(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    state = {"p": torch.nn.Parameter(base), "t": base.T, "tied": base, "s": base[:, 1:], "e": base[:1, :1].expand(2, 2)}
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", state))
    for name, tensor in state.items():
        assert checkpoint.read(name).tolist() == tensor.tolist()


def test_writing_to_an_array_leaves_the_file_as_it_is(tmp_path):
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", {"w": ONES}))
    before = checkpoint.file_hash()
    checkpoint.read("w")[:] = 0
    assert checkpoint.file_hash() == before


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net", "module", "params", "ema", "mine"])
def test_wrapped_state_dict_is_unwrapped_with_a_notice(tmp_path, key):
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", {"epoch": 3, key: {"w": ONES}}))
    assert list(checkpoint.tensors) == ["w"]
    assert checkpoint.notices == (f"{key} unwrapped",)
    assert checkpoint.metadata == {"epoch": "3"}


def test_training_checkpoint_keeps_weights_and_scalars_and_says_what_it_left_out(tmp_path):
    value = {
        "epoch": 3,
        "arch": "resnet",
        "best_prec1": 91.78000183105469,
        "lr": 1e-4,
        "amp_on": True,
        "notes": "long" * 100,
        "nothing": None,
        "args": {"width": 3},
        "step": torch.tensor(5),
        "model": {"state_dict": {"module.w": ONES, "module.b": ONES}},
        "ema": {"w": ONES},
        "optimizer": {"state": {0: {"exp_avg": ONES, "exp_avg_sq": ONES}}, "param_groups": [{"lr": 0.1}]},
        "D_adam": {"state": {0: {"exp_avg": ONES}}, "param_groups": []},
        "lr_scheduler": {"last_epoch": 3},
        "rng_state": torch.zeros(5, dtype=torch.uint8),
    }
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", value))
    assert list(checkpoint.tensors) == ["w", "b"]
    assert checkpoint.prefix == "module."
    assert checkpoint.metadata == {
        "epoch": "3",
        "arch": "resnet",
        "best_prec1": "91.78",
        "lr": "0.0001",
        "amp_on": "True",
    }
    assert checkpoint.notices == (
        "optimizer left out: 2 tensors",
        "D_adam left out: 1 tensor",
        "rng_state left out: 1 tensor",
        "model unwrapped",
        "step left out: 1 tensor",
        "ema left out: 1 tensor",
        "state_dict unwrapped",
        "prefix 'module.' stripped from 2 names",
    )


def test_layer_with_the_name_of_an_optimizer_is_kept(tmp_path):
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", {"optim.weight": ONES, "scaler": ONES}))
    assert list(checkpoint.tensors) == ["optim.weight", "scaler"]


def test_lists_and_nested_dictionaries_are_flattened(tmp_path):
    nets = open_checkpoint(save(tmp_path / "list.pt", {"state_dict": [{"w": ONES}, {"w": ONES}]}))
    assert list(nets.tensors) == ["0.w", "1.w"]
    gan = open_checkpoint(save(tmp_path / "gan.pt", {"G": {"a": {"w": ONES}}, "D": {"w": ONES}, "optim": [ONES]}))
    assert list(gan.tensors) == ["G.a.w", "D.w"]
    assert gan.notices == ("optim left out: 1 tensor",)


def test_tensors_beside_a_wrapper_are_not_lost(tmp_path):
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", {"model": {"w": ONES}, "mean": ONES}))
    assert list(checkpoint.tensors) == ["model.w", "mean"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONES, "holds a bare tensor, expected a dictionary of tensors"),
        ("text", "holds an object of type str, expected a dictionary of tensors"),
        ({}, "holds no floating-point tensors, found 0 of other kinds"),
        ({"n": torch.tensor(3)}, "holds no floating-point tensors, found 1 of other kinds"),
        ({"w": torch.ones(0)}, "holds no floating-point tensors, found 1 of other kinds"),
        ({"state": {0: {"m": ONES}}, "param_groups": []}, "holds the state of an optimizer, expected weights"),
        ({"a": {"b": ONES}, "a.b": ONES}, "two tensors are named 'a.b'"),
        ({1: ONES, "1": ONES}, "two entries of one dictionary have the same name"),
        ({"w": ONES.to_sparse()}, "tensor 'w' is sparse_coo, expected a dense one"),
        ({"w": ONES.to("meta")}, "tensor 'w' has no data, it is on the meta device"),
        ({"w": ONES.to(torch.complex128)}, "tensor 'w': dtype torch.complex128 is not read"),
        (
            {"w": torch.ones(1).expand(10**12)},
            "corrupt: tensor 'w' claims 4000000000000 bytes, found 4",
        ),
    ],
)
def test_pickle_that_holds_no_plain_weights_is_refused(tmp_path, value, expected):
    assert refusal(save(tmp_path / "net.pt", value)) == expected


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
def test_quantised_tensor_is_refused(tmp_path):
    quantised = torch.quantize_per_tensor(ONES, 0.1, 0, torch.quint8)
    assert refusal(save(tmp_path / "net.pt", {"w": quantised})) == "tensor 'w' is quantised, expected a dense one"


def test_structure_without_end_is_refused(tmp_path):
    cycle: dict = {"w": ONES}
    cycle["self"] = cycle
    expected = "nested deeper than 32 or over 1000000 entries"
    assert refusal(save(tmp_path / "cycle.pt", cycle)) == expected


def test_small_pickle_that_unfolds_to_millions_of_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("wembed.checkpoint.statedict.MAX_NODES", 1000)
    tree: dict = {"w": ONES}
    for _ in range(30):
        tree = {"a": tree, "b": tree}
    assert refusal(save(tmp_path / "bomb.pt", tree)) == "nested deeper than 32 or over 1000 entries"


def test_not_finite_values_are_refused_on_reading(tmp_path):
    checkpoint = open_checkpoint(save(tmp_path / "net.pt", {"w": ONES / 0}))
    with pytest.raises(CheckpointRefusedError, match="tensor 'w': 6 of 6 values are NaN or infinite"):
        checkpoint.read("w")


def test_tensors_saved_on_cuda_are_read(tmp_path):
    path = save(tmp_path / "net.pt", {"w": ONES})
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    # The device stands in the pickle as a length-prefixed text.
    members["net/data.pkl"] = members["net/data.pkl"].replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")
    with zipfile.ZipFile(tmp_path / "cuda.pt", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert b"cuda:0" in (tmp_path / "cuda.pt").read_bytes()
    assert open_checkpoint(tmp_path / "cuda.pt").tensors["w"].shape == (2, 3)


def test_truncated_zip_is_refused(tmp_path):
    path = save(tmp_path / "net.pt", {"w": ONES})
    path.write_bytes(path.read_bytes()[:300])
    assert refusal(path) == "truncated or corrupt zip archive"


@pytest.mark.parametrize("length", [1, 10, 100, 200])
def test_truncated_old_format_is_refused(tmp_path, length):
    path = save(tmp_path / "net.pt", {"w": ONES}, zipped=False)
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(path).startswith("not a readable torch file: ")


def test_old_format_without_its_last_bytes_says_how_many(tmp_path):
    path = save(tmp_path / "net.pt", {"w": ONES}, zipped=False)
    path.write_bytes(path.read_bytes()[:-5])
    assert refusal(path) == "not a readable torch file: unexpected EOF, expected 5 more bytes"


def test_garbage_with_a_weight_suffix_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(b"hello world, this is no pickle")
    assert refusal(path) == "not a readable torch file: its pickle is broken"


def test_compressed_zip_is_refused(tmp_path):
    path = save(tmp_path / "net.pt", {"w": ONES})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "z.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    assert refusal(tmp_path / "z.pt") == "a compressed zip archive"


def test_torchscript_is_refused_whatever_its_suffix(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        for name in ("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"):
            archive.writestr(name, b"")
    assert refusal(tmp_path / "net.pt") == "torchscript files are not read"


def test_zip_without_weights_is_refused_with_a_hint(tmp_path):
    with zipfile.ZipFile(tmp_path / "agent.ckpt", "w") as archive:
        archive.writestr("policy.pth", b"")
    assert refusal(tmp_path / "agent.ckpt") == "a zip archive without data.pkl"


@pytest.mark.parametrize("name", ["arrays.npz", "arrays.pt"])
def test_npz_is_refused_whatever_its_suffix(tmp_path, name):
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ones(3))
    (tmp_path / name).write_bytes(buffer.getvalue())
    assert refusal(tmp_path / name) == "npz files are not read"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("net.onnx", b"", "onnx"),
        ("net.pt", b"\x08\x07\x12\x07pytorch\x1a\x051.9.0:", "onnx"),
        ("net.h5", b"", "hdf5"),
        ("net.bin", b"\x89HDF\r\n\x1a\n\0\0", "hdf5"),
        ("net.gguf", b"", "gguf"),
        ("net.bin", b"GGUF\x03\0\0\0", "gguf"),
        ("net.npy", b"", "npy"),
        ("net.bin", b"\x93NUMPY\x01\0", "npy"),
        ("net.jit", b"", "torchscript"),
        ("net.PKL", b"", "pickle"),
    ],
)
def test_other_carriers_are_refused_by_kind_with_a_hint(tmp_path, name, data, kind):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(tmp_path / name)
    assert caught.value.message == f"{tmp_path / name}: {kind} files are not read"
    assert "convert the weights to safetensors" in caught.value.hint


def test_git_lfs_pointer_is_refused_with_a_hint(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(CheckpointRefusedError, match="a git-lfs pointer, expected the weights") as caught:
        open_checkpoint(path)
    assert caught.value.hint == "run `git lfs pull`"


def test_unknown_file_is_refused_with_the_known_suffixes(tmp_path):
    (tmp_path / "README.md").write_text("# hello, this is a text")
    with pytest.raises(CheckpointRefusedError, match="not a known kind of checkpoint") as caught:
        open_checkpoint(tmp_path / "README.md")
    assert caught.value.hint == "files that are read: .safetensors, .pt, .pth, .bin, .ckpt, .th"


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "net.pt").touch()
    assert refusal(tmp_path / "net.pt") == "empty file, found 0 bytes"


def test_safetensors_under_another_suffix_is_read_as_what_it_is(valid):
    other = valid.rename(valid.with_suffix(".bin"))
    assert "fc1.weight" in open_checkpoint(other).tensors
