"""What lies beside the weights is copied, and nothing that a link leads to elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import Checkpoint, open_checkpoint, write_safetensors
from wembed.errors import WembedError
from wembed.merging.output import beside
from wembed.merging.output.beside import copy_beside

CONFIG = {"model_type": "llama", "vocab_size": 9, "torch_dtype": "float32"}


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", {"w": ("F32", np.zeros((2, 2), np.float32))}, {})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "generation_config.json").write_text("{}")
    (folder / "training_args.bin").write_text("private")
    (folder / "README.md").write_text("of the source")
    return folder


@pytest.fixture
def out(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(folder)


def test_config_and_tokenizer_are_copied_and_nothing_else(source, out):
    assert copy_beside(opened(source), out, None) == []
    names = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(file.name for file in out.iterdir()) == names
    assert json.loads((out / "config.json").read_text()) == CONFIG


def test_a_config_says_the_dtype_that_is_written(source, out):
    copy_beside(opened(source), out, "bfloat16")
    assert json.loads((out / "config.json").read_text()) == CONFIG | {"torch_dtype": "bfloat16"}


def test_the_configs_of_parts_say_that_dtype_too(source, out):
    parts = {"text_config": {"dtype": "float32", "vision_config": {"torch_dtype": "float32"}}, "other": {"dtype": "x"}}
    (source / "config.json").write_text(json.dumps(CONFIG | parts))
    copy_beside(opened(source), out, "bfloat16")
    found = json.loads((out / "config.json").read_text())
    assert found["text_config"] == {"dtype": "bfloat16", "vision_config": {"torch_dtype": "bfloat16"}}
    assert found["other"] == {"dtype": "x"}


@pytest.fixture
def modules(source) -> Path:
    """A folder of sentence-transformers."""
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (source / name).write_text("{}")
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text('{"dtype": "float32"}')
    return source


def test_the_modules_of_sentence_transformers_are_copied(modules, out):
    assert copy_beside(opened(modules), out, "bfloat16") == []
    assert (out / "1_Pooling" / "config.json").read_text() == '{"dtype": "float32"}'
    names = {"modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"}
    assert names <= {file.name for file in out.iterdir()}


def test_weights_of_a_further_module_are_copied_and_that_is_said(modules, out):
    (modules / "2_Dense").mkdir()
    (modules / "2_Dense" / "model.safetensors").write_bytes(b"dense")
    (note,) = copy_beside(opened(modules), out, None)
    expected = f"is copied from {modules} as it is: weights of a further module are not merged"
    assert note == f"'2_Dense/model.safetensors' {expected}"
    assert (out / "2_Dense" / "model.safetensors").read_bytes() == b"dense"


def test_a_module_that_links_elsewhere_is_not_copied(modules, out, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (modules / "2_Normalize").symlink_to(tmp_path / "secret")
    (note,) = copy_beside(opened(modules), out, None)
    assert note.startswith("'2_Normalize/key' links to a file outside of")
    assert not (out / "2_Normalize").exists()


@pytest.mark.parametrize("name", ["source.spm", "tekken.json"])
def test_further_kinds_of_tokenizers_are_copied(source, out, name):
    for each in ("tokenizer.json", "tokenizer_config.json"):
        (source / each).unlink()
    (source / name).write_text("")
    assert copy_beside(opened(source), out, None) == []
    assert (out / name).is_file()


def test_what_is_not_copied_is_said(source, out):
    for name in ("trainer_state.json", "pytorch_model.bin", "model.onnx", ".gitattributes"):
        (source / name).write_text("")
    assert copy_beside(opened(source), out, None) == []
    for name in ("runs", "onnx"):
        (source / name).mkdir()
    (source / "labels\n.txt").write_text("")
    assert copy_beside(opened(source), out, None) == [f"not copied from {source}: 'labels\\n.txt', 'onnx', 'runs'"]
    for name in "abcd":
        (source / name).write_text("")
    (note,) = copy_beside(opened(source), out, None)
    assert note.endswith("'a', 'b', 'c', 'd', 'labels\\n.txt' and 2 more")


def test_weights_are_not_copied_whatever_they_are_called(source, out):
    (source / "model.safetensors").rename(source / "tokenizer.safetensors")
    copy_beside(opened(source), out, None)
    assert not (out / "tokenizer.safetensors").exists()


def test_a_missing_tokenizer_is_said(source, out):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).unlink()
    assert copy_beside(opened(source), out, None) == [f"no tokenizer lies in {source}: none is written"]


def test_a_file_without_a_config_has_nothing_beside_it(tmp_path, out):
    write_safetensors(tmp_path / "a.safetensors", {"w": ("F32", np.zeros((2, 2), np.float32))}, {})
    (note,) = copy_beside(opened(tmp_path / "a.safetensors"), out, None)
    assert note.endswith("lies in no folder with a config.json: no config and no tokenizer are written")
    assert list(out.iterdir()) == []


def test_links_out_of_the_folder_are_not_followed(source, out, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (source / "merges.txt").symlink_to(tmp_path / "secret")
    (note,) = copy_beside(opened(source), out, None)
    assert "'merges.txt' links to a file outside of" in note
    assert not (out / "merges.txt").exists()


def test_links_of_the_hugging_face_cache_are_followed(source, out, tmp_path):
    snapshot, blobs = tmp_path / "models--org--name" / "snapshots" / "main", tmp_path / "models--org--name" / "blobs"
    snapshot.parent.mkdir(parents=True)
    blobs.mkdir()
    source.rename(snapshot)
    (snapshot / "tokenizer.json").rename(blobs / "0")
    (snapshot / "tokenizer.json").symlink_to(blobs / "0")
    assert copy_beside(opened(snapshot), out, None) == []
    assert (out / "tokenizer.json").read_text() == "{}"


def test_code_of_others_is_not_copied_and_that_is_said(source, out):
    (source / "config.json").write_text(json.dumps(CONFIG | {"auto_map": {"AutoModel": "modeling_x.X"}}))
    (source / "modeling_x.py").write_text("")
    (note,) = copy_beside(opened(source), out, None)
    assert "names code of its own, which is not copied" in note
    assert not (out / "modeling_x.py").exists()


def test_a_full_disk_is_one_line(source, out, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(beside.shutil, "copyfile", refuse)
    with pytest.raises(WembedError, match=r"config\.json: cannot be copied to .*: no space left on device"):
        copy_beside(opened(source), out, None)
