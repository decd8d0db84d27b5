import json

import pytest
import torch

from wembed.checkpoint import open_checkpoint, write_safetensors


@pytest.fixture
def content(valid):
    return open_checkpoint(valid).content_hash()


def test_content_hash_ignores_order_and_metadata_and_file_hash_does_not(tmp_path, valid, stored, content):
    other = tmp_path / "other.safetensors"
    write_safetensors(other, dict(reversed(stored.items())), {"note": "hello"})
    assert open_checkpoint(other).content_hash() == content
    assert open_checkpoint(other).file_hash() != open_checkpoint(valid).file_hash()


@pytest.mark.parametrize("zipped", [True, False])
def test_content_hash_ignores_the_file_format_and_the_wrapper_prefix(tmp_path, arrays, content, zipped):
    path = tmp_path / "weights.pt"
    state = {f"module.{name}": torch.from_numpy(array) for name, array in arrays.items()}
    torch.save({"epoch": 3, "state_dict": state}, path, _use_new_zipfile_serialization=zipped)
    assert open_checkpoint(path).content_hash() == content


def test_content_hash_ignores_sharding(tmp_path, stored, content):
    folder = tmp_path / "sharded"
    folder.mkdir()
    halves = {"a.safetensors": list(stored)[:2], "b.safetensors": list(stored)[2:]}
    for file, names in halves.items():
        write_safetensors(folder / file, {name: stored[name] for name in names}, {})
    weight_map = {name: file for file, names in halves.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    checkpoint = open_checkpoint(folder)
    assert checkpoint.content_hash() == content
    assert len(checkpoint.file_hash()) == 64


def test_file_hash_of_shards_depends_on_their_names(tmp_path, stored):
    hashes = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        write_safetensors(folder / f"{name}1.safetensors", {"fc1.weight": stored["fc1.weight"]}, {})
        write_safetensors(folder / f"{name}2.safetensors", {"fc2.weight": stored["fc2.weight"]}, {})
        weight_map = {"fc1.weight": f"{name}1.safetensors", "fc2.weight": f"{name}2.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        hashes.add(open_checkpoint(folder).file_hash())
    assert len(hashes) == 2


def test_content_hash_sees_names_shapes_dtypes_and_values(tmp_path, stored, content):
    dtype, array = stored["fc1.weight"]
    changed = [
        stored | {"fc1.weight": (dtype, array + 1)},
        stored | {"fc1.weight": (dtype, array.reshape(4, 3))},
        stored | {"fc1.weight": ("I64", array.view("<i8"))},
        {name.replace("fc1", "fc3"): value for name, value in stored.items()},
    ]
    hashes = {content}
    for index, tensors in enumerate(changed):
        path = tmp_path / f"{index}.safetensors"
        write_safetensors(path, tensors, {})
        hashes.add(open_checkpoint(path).content_hash())
    assert len(hashes) == 5
