import json
import os

import numpy as np
import pytest
import torch

from wembed.checkpoint import find_checkpoints, open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError, NotFoundError

ONES = ("F32", np.ones(2, np.float32))
INDEX = "model.safetensors.index.json"


def weights(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, dict.fromkeys(names or ("w",), ONES), {})
    return path


def index(folder, weight_map, name=INDEX):
    (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder / name


def refusal(path):
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(path)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def sharded(tmp_path):
    folder = tmp_path / "sharded"
    weights(folder / "one.safetensors", "a", "b")
    weights(folder / "two.safetensors", "c")
    index(folder, {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"})
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return folder


def test_shards_are_one_checkpoint(sharded):
    checkpoint = open_checkpoint(sharded)
    assert list(checkpoint.tensors) == ["a", "b", "c"]
    assert checkpoint.files == (sharded / "one.safetensors", sharded / "two.safetensors")
    assert checkpoint.config == {"model_type": "bert"}
    assert checkpoint.read("c").tolist() == [1, 1]


def test_index_file_is_the_same_as_its_folder(sharded):
    by_index, by_folder = open_checkpoint(sharded / INDEX), open_checkpoint(sharded)
    assert by_index.files == by_folder.files
    assert by_index.content_hash() == by_folder.content_hash()
    assert by_index.file_hash() == by_folder.file_hash()


def test_pickled_shards_are_read_through_their_index(tmp_path):
    torch.save({"module.a": torch.ones(2)}, tmp_path / "one.bin")
    torch.save({"module.b": torch.ones(3)}, tmp_path / "two.bin")
    index(tmp_path, {"module.a": "one.bin", "module.b": "two.bin"}, "pytorch_model.bin.index.json")
    checkpoint = open_checkpoint(tmp_path)
    assert {name: info.shape for name, info in checkpoint.tensors.items()} == {"a": (2,), "b": (3,)}


def test_missing_shard_is_named(sharded):
    (sharded / "two.safetensors").unlink()
    expected = f"{sharded / INDEX}: shard 'two.safetensors' is missing from the folder"
    assert refusal(sharded).message == expected


def test_tensor_missing_from_its_shard_is_named(sharded):
    weights(sharded / "two.safetensors", "d")
    assert refusal(sharded).message == f"{sharded}: tensor 'c' is missing from its shard two.safetensors"


def test_tensor_in_two_shards_is_named(sharded):
    weights(sharded / "two.safetensors", "a", "c")
    expected = f"{sharded}: tensor 'a' stands in two shards, one.safetensors and two.safetensors"
    assert refusal(sharded).message == expected


def test_tensor_in_another_shard_than_the_index_says_is_refused(sharded):
    index(sharded, {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"})
    assert "tensor 'b' is missing from its shard two.safetensors" in refusal(sharded).message


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A weight file outside of the folder; opening it fails the test."""
    path = weights(tmp_path / "outside" / "canary.safetensors", "c")
    opened = type(path).open

    def watch(self, *args, **kwargs):
        assert self.resolve() != path.resolve(), "the canary was opened"
        return opened(self, *args, **kwargs)

    monkeypatch.setattr("pathlib.Path.open", watch)
    return path


@pytest.mark.parametrize(
    "shard",
    ["../outside/canary.safetensors", "x/../../outside/canary.safetensors", "ABSOLUTE", "", "a\\b", "C:x", "a\0b"],
)
def test_shard_name_that_leaves_the_folder_is_refused_before_it_is_opened(sharded, canary, shard):
    shard = str(canary) if shard == "ABSOLUTE" else shard
    index(sharded, {"a": "one.safetensors", "c": shard})
    expected = f"{sharded / INDEX}: unsafe: shard {shard!r} is not a plain path inside the folder"
    assert refusal(sharded).message == expected


def test_shard_that_links_out_of_the_folder_is_refused_before_it_is_opened(sharded, canary):
    (sharded / "two.safetensors").unlink()
    (sharded / "two.safetensors").symlink_to(canary)
    expected = f"{sharded / INDEX}: unsafe: shard 'two.safetensors' links to a file outside of the folder"
    assert refusal(sharded).message == expected


def test_shard_below_a_linked_folder_is_refused(sharded, canary):
    (sharded / "sub").symlink_to(canary.parent)
    index(sharded, {"c": "sub/canary.safetensors"})
    assert "links to a file outside of the folder" in refusal(sharded).message


def test_shard_that_links_to_itself_is_refused(sharded):
    (sharded / "two.safetensors").unlink()
    (sharded / "two.safetensors").symlink_to("two.safetensors")
    assert "shard 'two.safetensors' cannot be resolved" in refusal(sharded).message


def test_shard_whose_name_is_no_text_is_refused(sharded):
    index(sharded, {"a": "one.safetensors", "c": "\ud800.safetensors"})
    assert refusal(sharded).message.endswith("unsafe: shard '\\ud800.safetensors' cannot be resolved")


def test_shard_in_a_sub_folder_or_linked_within_the_folder_is_read(sharded):
    weights(sharded / "sub" / "three.safetensors", "c")
    (sharded / "two.safetensors").unlink()
    (sharded / "two.safetensors").symlink_to("sub/three.safetensors")
    assert list(open_checkpoint(sharded).tensors) == ["a", "b", "c"]
    index(sharded, {"a": "one.safetensors", "b": "one.safetensors", "c": "sub/three.safetensors"})
    assert list(open_checkpoint(sharded).tensors) == ["a", "b", "c"]


@pytest.fixture
def cache(tmp_path):
    """The layout of the Hugging Face cache: names in a snapshot, bytes in blobs."""
    snapshot, blobs = tmp_path / "models--me--net" / "snapshots" / "abc", tmp_path / "models--me--net" / "blobs"
    snapshot.mkdir(parents=True)
    for blob, name in (("1f", "a"), ("2e", "b")):
        weights(blobs / "new.safetensors", name).rename(blobs / blob)
        (snapshot / f"{name}.safetensors").symlink_to(f"../../blobs/{blob}")
    index(snapshot, {"a": "a.safetensors", "b": "b.safetensors"})
    return snapshot


def test_hub_cache_with_links_to_its_blobs_is_read(cache):
    assert list(open_checkpoint(cache).tensors) == ["a", "b"]
    assert find_checkpoints(cache.parent.parent) == [cache]


def test_hub_cache_that_links_elsewhere_is_refused(cache, tmp_path):
    other = weights(tmp_path / "elsewhere.safetensors", "b")
    (cache / "b.safetensors").unlink()
    (cache / "b.safetensors").symlink_to(other)
    assert "links to a file outside of the folder" in refusal(cache).message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "corrupt: not JSON"),
        ("[]", "corrupt: a JSON list, expected an object"),
        ("{}", "corrupt: no weight_map from tensors to files"),
        ('{"weight_map": {}}', "corrupt: no weight_map from tensors to files"),
        ('{"weight_map": {"a": 1}}', "corrupt: weight_map gives no file for tensor 'a'"),
    ],
)
def test_broken_index_is_refused(sharded, text, expected):
    (sharded / INDEX).write_text(text)
    assert refusal(sharded).message == f"{sharded / INDEX}: {expected}"


def test_index_of_unreasonable_size_is_refused_unread(sharded):
    os.truncate(sharded / INDEX, 10**8 + 1)
    assert "100000001 bytes of JSON, expected at most 100000000" in refusal(sharded).message


def test_broken_config_is_refused(sharded):
    (sharded / "config.json").write_text("3")
    assert refusal(sharded).message == f"{sharded / 'config.json'}: corrupt: a JSON int, expected an object"


def test_two_indexes_are_ambiguous(sharded):
    index(sharded, {"a": "one.safetensors"}, "other.safetensors.index.json")
    error = refusal(sharded)
    assert error.message == f"{sharded}: holds 2 index files, expected one"
    assert error.hint == f"name one: {sharded / INDEX}"


def test_folder_with_one_weight_file_opens_it(tmp_path):
    file = weights(tmp_path / "model.safetensors")
    (tmp_path / "README.md").touch()
    assert open_checkpoint(tmp_path).files == (file,)


def test_safetensors_is_preferred_to_pickles_and_to_their_index(tmp_path):
    file = weights(tmp_path / "model.safetensors")
    torch.save({"w": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    index(tmp_path, {"w": "pytorch_model.bin"}, "pytorch_model.bin.index.json")
    assert open_checkpoint(tmp_path).files == (file,)


def test_what_a_trainer_leaves_beside_the_weights_is_not_a_weight_file(tmp_path):
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"w": torch.ones(1)}, tmp_path / name)
    assert open_checkpoint(tmp_path).files == (tmp_path / "pytorch_model.bin",)


def test_folder_with_several_weight_files_asks_for_one(tmp_path):
    first, _ = weights(tmp_path / "a.safetensors"), weights(tmp_path / "b.safetensors")
    error = refusal(tmp_path)
    assert error.message == f"{tmp_path}: holds 2 weight files and no index, expected one"
    assert error.hint == f"name one: {first}"


def test_folder_without_weights_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match="holds no weight file"):
        open_checkpoint(tmp_path)


def test_config_is_read_for_a_file_that_is_all_of_its_folder(tmp_path):
    file = weights(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    assert open_checkpoint(file).config == {"model_type": "vit"}
    weights(tmp_path / "other.safetensors")
    assert open_checkpoint(file).config == {}


def test_adapter_folder_is_one_checkpoint_with_the_adapters_config(tmp_path):
    weights(tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    assert find_checkpoints(tmp_path) == [tmp_path]
    assert open_checkpoint(tmp_path).config == {"r": 8}


def test_walk_finds_files_and_whole_folders_in_sorted_order(tmp_path, sharded):
    files = [weights(tmp_path / name) for name in ("a.safetensors", "b/c.safetensors", "b/d.safetensors")]
    weights(tmp_path / "hub" / "model.safetensors")
    (tmp_path / "hub" / "config.json").write_text("{}")
    for name in ("z.PTH", "net.onnx", "net.npz", "net.jit", "net.h5", "net.gguf", "net.pkl"):
        (tmp_path / "z" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "z" / name).touch()
    for name in ("README.md", "image.png", "scores.json", "rows.csv", ".hidden.pt"):
        (tmp_path / name).touch()
    weights(tmp_path / ".git" / "x.safetensors")
    expected = [*files, tmp_path / "hub", sharded, *sorted((tmp_path / "z").iterdir())]
    assert find_checkpoints(tmp_path) == expected


def test_walk_leaves_a_folder_with_a_config_and_several_files_apart(tmp_path):
    files = [weights(tmp_path / "a.safetensors"), weights(tmp_path / "b.safetensors")]
    (tmp_path / "config.json").write_text("{}")
    assert find_checkpoints(tmp_path) == files


def test_walk_gives_a_file_as_itself_whatever_its_suffix(tmp_path):
    (tmp_path / "README.md").touch()
    assert find_checkpoints(tmp_path / "README.md") == [tmp_path / "README.md"]


def test_walk_ends_on_links_that_loop(tmp_path):
    file = weights(tmp_path / "a" / "x.safetensors")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert find_checkpoints(tmp_path) == [file]


def test_walk_of_a_missing_path_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match="no such file or folder"):
        find_checkpoints(tmp_path / "nowhere")


def test_walk_gives_a_folder_that_may_not_be_listed_so_that_opening_says_so(tmp_path, monkeypatch):
    file = weights(tmp_path / "a" / "x.safetensors")
    (tmp_path / "b").mkdir()
    monkeypatch.setattr("os.access", lambda path, _: path.name != "b")
    assert find_checkpoints(tmp_path) == [file, tmp_path / "b"]
