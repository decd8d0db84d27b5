import dataclasses
import json
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from wembed.checkpoint import open_checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.hub.repository import RemoteFile, Repository
from wembed.zoo.pull.choose import FilesWanted, RemoteCheckpoint, choose, with_shards

MB = 10**6
BERT = {
    ".gitattributes": 491, "LICENSE": 11_358, "README.md": 10_488, "config.json": 570,
    "coreml/model.mlmodel": 165, "flax_model.msgpack": 438 * MB, "model.onnx": 532 * MB, "model.safetensors": 440 * MB,
    "pytorch_model.bin": 440 * MB, "rust_model.ot": 534 * MB, "tf_model.h5": 536 * MB,
    "tokenizer.json": 466_062, "tokenizer_config.json": 48, "vocab.txt": 231_508,
}  # fmt: skip
GPT2 = {
    "64-8bits.tflite": 125 * MB, "config.json": 665, "generation_config.json": 124, "merges.txt": 456_318,
    "model.safetensors": 548 * MB, "onnx/config.json": 879, "onnx/model.onnx": 653 * MB,
    "pytorch_model.bin": 548 * MB, "vocab.json": 1_042_301,
}  # fmt: skip
SHARDS = {f"model-0000{number}-of-00003.safetensors": 5_000 * MB for number in (1, 2, 3)}
INDEX = "model.safetensors.index.json"
LLAMA = {
    **SHARDS, INDEX: 23_950, "config.json": 654, "generation_config.json": 185,
    "original/consolidated.00.pth": 16_060 * MB, "original/params.json": 199, "special_tokens_map.json": 296,
    "tokenizer.json": 9_085_657,
}  # fmt: skip
MISTRAL = {**SHARDS, INDEX: 25_125, "config.json": 596, "consolidated.safetensors": 14_496 * MB, "params.json": 200}
DIFFUSERS = {
    "model_index.json": 541, "scheduler/scheduler_config.json": 308, "text_encoder/config.json": 617,
    "text_encoder/model.fp16.safetensors": 246 * MB, "text_encoder/model.safetensors": 492 * MB,
    "unet/config.json": 743, "unet/diffusion_pytorch_model.fp16.safetensors": 1_719 * MB,
    "unet/diffusion_pytorch_model.non_ema.safetensors": 3_438 * MB,
    "unet/diffusion_pytorch_model.safetensors": 3_438 * MB,
    "vae/config.json": 547, "vae/diffusion_pytorch_model.bin": 335 * MB, "tokenizer/vocab.json": 1_059_962,
}  # fmt: skip
SENTENCES = {
    "1_Pooling/config.json": 190, "2_Dense/model.safetensors": 3 * MB, "config.json": 612, "data_config.json": 39_265,
    "config_sentence_transformers.json": 116, "model.safetensors": 91 * MB, "modules.json": 349,
    "onnx/model.onnx": 90 * MB, "openvino/openvino_model.bin": 90 * MB, "pytorch_model.bin": 91 * MB,
    "tokenizer.json": 466_247, "train_script.py": 13_156, "vocab.txt": 231_508,
}  # fmt: skip
ADAPTER = {"README.md": 5, "adapter_config.json": 441, "adapter_model.safetensors": 17 * MB, "training_args.bin": 4_000}
TRAINED = {
    "config.json": 735, "model.safetensors": 268 * MB, "optimizer.pt": 536 * MB, "scheduler.pt": 627,
    "rng_state.pth": 14_575, "trainer_state.json": 9_000, "checkpoint-500/model.safetensors": 268 * MB,
    "runs/Nov29/events.out.tfevents": 9,
}  # fmt: skip
MODEL_ZOO = {f"cnn/run-{number}.safetensors": 20_000 for number in range(3)} | {"README.md": 9, "cnn/config.json": 99}
PICKLED = {
    "config.json": 900, "pytorch_model-00001-of-00002.bin": 9 * MB, "pytorch_model-00002-of-00002.bin": 9 * MB,
    "pytorch_model.bin.index.json": 9_000, "training_args.bin": 3_000, "2_Dense/model.safetensors": 3 * MB,
}  # fmt: skip
CLIP = {"open_clip_config.json": 700, "open_clip_model.safetensors": 605 * MB, "open_clip_pytorch_model.bin": 605 * MB}


def repository(sizes, name="org/name") -> Repository:
    return Repository(name, "0" * 40, tuple(RemoteFile(path, size) for path, size in sizes.items()))


def chosen(sizes, **wanted) -> list[RemoteCheckpoint]:
    return choose(repository(sizes), FilesWanted(**wanted))


def named(sizes, **wanted) -> dict[str, list[str]]:
    return {one.name: [file.path for file in one.files] for one in chosen(sizes, **wanted)}


def refusal(sizes, **wanted) -> CheckpointRefusedError:
    with pytest.raises(CheckpointRefusedError) as refused:
        chosen(sizes, **wanted)
    assert refused.value.message.isprintable()
    return refused.value


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (BERT, ["model.safetensors", "config.json"]),
        (GPT2, ["model.safetensors", "config.json", "generation_config.json"]),
        (LLAMA, [*SHARDS, INDEX, "config.json", "generation_config.json"]),
        (MISTRAL, [*SHARDS, INDEX, "config.json", "params.json"]),
        (
            SENTENCES,
            [
                "model.safetensors", "config.json", "data_config.json", "config_sentence_transformers.json",
                "modules.json",
            ],
        ),
        (ADAPTER, ["adapter_model.safetensors", "adapter_config.json"]),
        (TRAINED, ["model.safetensors", "config.json", "trainer_state.json"]),
        (CLIP, ["open_clip_model.safetensors", "open_clip_config.json"]),
        ({"pytorch_lora_weights.safetensors": 3 * MB, "logo.png": 9}, ["pytorch_lora_weights.safetensors"]),
        ({"consolidated.safetensors": MB, "params.json": 9}, ["consolidated.safetensors", "params.json"]),
    ],
    ids=["bert", "gpt2", "llama", "mistral", "sentences", "adapter", "trained", "clip", "lora", "consolidated"],
)  # fmt: skip
def test_a_repository_with_one_network_is_one_checkpoint(sizes, expected):
    (one,) = chosen(sizes)
    assert (one.name, one.local) == ("", "")
    assert [file.path for file in one.files] == expected
    assert one.bytes == sum(sizes[path] for path in expected)


def test_sub_folders_are_looked_at_only_where_the_root_holds_no_weights():
    assert named(DIFFUSERS) == {
        "text_encoder": ["text_encoder/model.safetensors", "text_encoder/config.json"],
        "unet": ["unet/diffusion_pytorch_model.safetensors", "unet/config.json"],
    }
    assert [one.local for one in chosen(DIFFUSERS)] == ["text_encoder", "unet"]
    assert named({"a/model.safetensors": MB, "a/onnx/model.safetensors": MB, "b/c/model.safetensors": MB}) == {
        "a": ["a/model.safetensors"],
        "b/c": ["b/c/model.safetensors"],
    }


def test_every_file_of_a_model_zoo_is_a_checkpoint_of_its_own():
    assert named(MODEL_ZOO) == {
        f"cnn/run-{number}": [f"cnn/run-{number}.safetensors", "cnn/config.json"] for number in range(3)
    }
    assert [one.local for one in chosen(MODEL_ZOO)] == [f"cnn/run-{number}.safetensors" for number in range(3)]


def test_what_is_included_is_taken_wherever_it_is():
    assert list(named(DIFFUSERS, include=("vae/*", "*fp16*"))) == ["text_encoder", "unet"]
    assert named(SENTENCES, include=("2_Dense/*",)) == {"2_Dense": ["2_Dense/model.safetensors"]}
    both = chosen(MISTRAL, include=("*.safetensors",))
    assert [(one.name, one.local) for one in both] == [("model", INDEX), ("consolidated", "consolidated.safetensors")]
    assert [file.path for file in both[0].weights] == list(SHARDS)
    assert list(named(MISTRAL, include=("model-00001*",))) == [""]
    assert list(named(BERT, include=("*.bin",), pickle=True)) == [""]


@pytest.mark.parametrize(
    ("sizes", "wanted", "count"),
    [
        (BERT, {}, 1),
        (LLAMA, {}, 1),
        (MISTRAL, {"include": ("*.safetensors",)}, 2),
        (DIFFUSERS, {}, 2),
        (MODEL_ZOO, {}, 3),
        (ADAPTER, {}, 1),
    ],
    ids=["bert", "llama", "mistral", "diffusers", "zoo", "adapter"],
)
def test_what_was_chosen_opens_as_that_checkpoint(sizes, wanted, count, tmp_path):
    found = chosen(sizes, **wanted)
    weights = {file.path: f"tensor{number}" for number, file in enumerate(f for one in found for f in one.weights)}
    for one in found:
        for file in one.beside:
            (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.path).write_text("{}")
        if one.index:
            text = index({weights[file.path]: file.path.rpartition("/")[2] for file in one.weights})
            (tmp_path / one.index.path).write_bytes(text)
    for path, name in weights.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        save_file({name: np.zeros(2, np.float32)}, tmp_path / path)
    opened = [sorted(open_checkpoint(tmp_path / one.local).tensors) for one in found]
    assert opened == [sorted(weights[file.path] for file in one.weights) for one in found]
    assert len(opened) == count


def test_names_of_two_checkpoints_differ():
    sizes = {"unet.safetensors": MB, "b.safetensors": MB, "unet/x.safetensors": MB}
    assert list(named(sizes, include=("*",))) == ["unet.safetensors", "b", "unet"]


def test_what_is_excluded_is_left_out():
    assert list(named(DIFFUSERS, exclude=("unet/*",))) == ["text_encoder"]
    assert named(SENTENCES, exclude=("*.json", "2_*")) == {"": ["model.safetensors"]}
    assert named({"model.safetensors": MB, "a/model.safetensors": MB}, exclude=("model.*",)) == {
        "a": ["a/model.safetensors"]
    }


def test_pickled_weights_are_taken_where_they_are_allowed_and_nothing_else_is_there():
    (one,) = chosen(PICKLED, pickle=True)
    assert [file.path for file in one.weights] == [path for path in PICKLED if "-of-" in path]
    assert one.index.path == "pytorch_model.bin.index.json"
    assert named(BERT, pickle=True)[""][0] == "model.safetensors"
    assert list(named({"optimizer.pt": MB, "net.pt": MB}, pickle=True)) == [""]


@pytest.mark.parametrize(
    ("sizes", "wanted", "message", "hint"),
    [
        ({}, {}, "org/name: an empty repository", ""),
        ({".gitattributes": 9, "README.md": 9}, {}, "org/name: holds no weight file", "expected *.safetensors"),
        ({"pytorch_model.bin": MB, "tf_model.h5": MB}, {},
         "org/name: its weights are pickled, such as 'pytorch_model.bin'",
         "--allow-pickle takes them, to be read without running their code"),
        (PICKLED, {}, "org/name: its weights are pickled, such as 'pytorch_model-00001-of-00002.bin'",
         "--allow-pickle takes them, to be read without running their code"),
        ({"m.Q4_K_M.gguf": MB, "onnx/m.onnx": MB, "m.msgpack": MB}, {}, "org/name: holds flax, gguf, onnx weights only",
         "only safetensors are taken; its base model may have them"),
        (BERT, {"include": ("*.bin",)}, "org/name: none of its 2 weight files is asked for",
         "see --include and --exclude; it holds 'model.safetensors'"),
        (BERT, {"exclude": ("*",), "pickle": True}, "org/name: none of its 2 weight files is asked for",
         "see --include and --exclude; it holds 'model.safetensors'"),
        ({"training_args.bin": 9, "optimizer.safetensors": 99}, {"pickle": True}, "org/name: holds no weight file",
         "expected *.safetensors"),
        ({"model-00001-of-00002.safetensors": MB}, {},
         "org/name: 'model-00001-of-00002.safetensors' is one of several shards without an index", ""),
        ({"model.safetensors": 0}, {}, "org/name/model.safetensors: an empty file, expected weights", ""),
        ({"model.safetensors": 9}, {},
         "org/name/model.safetensors: 9 bytes, fewer than a header, expected weights", ""),
        ({"net.pt": 0}, {"pickle": True}, "org/name/net.pt: an empty file, expected weights", ""),
        ({"model.safetensors": MB, "config.json": 11 * MB}, {},
         "org/name/config.json: 11000000 bytes, expected at most 10000000", ""),
        ({INDEX: 101 * MB}, {}, f"org/name/{INDEX}: 101000000 bytes, expected at most 100000000", ""),
    ],
)  # fmt: skip
def test_a_repository_without_a_checkpoint_is_one_line_that_says_why(sizes, wanted, message, hint):
    error = refusal(sizes, **wanted)
    assert (error.message, error.hint) == (message, hint)


HOSTILE = [
    ("../model.safetensors", "leads out of its folder"),
    ("a/../../model.safetensors", "leads out of its folder"),
    ("/etc/model.safetensors", "absolute"),
    ("/model.safetensors", "absolute"),
    ("//host/model.safetensors", "absolute"),
    ("a//model.safetensors", "has an empty part"),
    ("C:\\model.safetensors", "holds :"),
    ("..\\model.safetensors", "holds \\"),
    (".../model.safetensors", "a part begins with a dot"),
    ("./model.safetensors", "a part begins with a dot"),
    ("nul.safetensors", "nul is a device on Windows"),
    ("a\x1b[2J.safetensors", "holds characters that do not show"),
    ("a\u202e.safetensors", "holds characters that do not show"),
    ("a\n.safetensors", "holds characters that do not show"),
    ("a /model.safetensors", "a part ends with a space"),
    ("a" * 256 + ".safetensors", "a part is 268 bytes long, expected at most 255"),
]


@pytest.mark.parametrize(("path", "reason"), HOSTILE, ids=ascii)
@pytest.mark.parametrize("wanted", [{}, {"include": ("*",)}])
def test_a_hostile_name_that_would_be_chosen_is_refused(path, reason, wanted):
    message = refusal({path: MB}, **wanted).message
    assert message.startswith("org/name: unsafe file name ")
    assert message.endswith(reason)


@pytest.mark.parametrize(("path", "reason"), HOSTILE, ids=ascii)
def test_a_hostile_name_that_is_not_chosen_does_not_matter(path, reason):
    sizes = {"model.safetensors": MB, path.replace(".safetensors", ".txt"): MB, "sub/" + path: MB}
    assert named(sizes) == {"": ["model.safetensors"]}


@pytest.mark.parametrize(
    "path",
    [".cache/model.safetensors", "a/.git/model.safetensors", "a/" * 900 + "b.safetensors"],
)
def test_a_hidden_or_endless_path_is_never_chosen(path):
    assert refusal({path: MB}).message == "org/name: holds no weight file"
    assert list(named({path: MB, "net.safetensors": MB}, include=("*",))) == [""]


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["net.safetensors", "NET.safetensors"], "the same where case does not count"),
        (["n\u00e9t.safetensors", "ne\u0301t.safetensors"], "the same where case does not count"),
        (["a.safetensors/model.safetensors", "a.safetensors"], "both a file and a folder"),
    ],
)
def test_names_that_clash_are_refused(paths, reason):
    assert refusal(dict.fromkeys(paths, MB), include=("*",)).message.endswith(reason)


def test_a_path_that_is_listed_twice_with_two_sizes_is_refused():
    files = tuple(RemoteFile("model.safetensors", size) for size in (MB, MB + 1))
    with pytest.raises(CheckpointRefusedError, match=r"^org/name: unsafe file name 'model.safetensors': listed twice$"):
        choose(Repository("org/name", "0" * 40, files), FilesWanted())


def test_at_most_a_few_small_files_come_along():
    sizes = {"model.safetensors": MB} | {f"result-{number}.json": 9 for number in range(1000)} | {"config.json": 9}
    (one,) = chosen(sizes | {"large.json": 256_001})
    assert len(one.beside) == 17
    assert one.beside[0].path == "config.json"


@pytest.mark.parametrize("wanted", [{}, {"include": ("*",)}, {"pickle": True}, {"exclude": ("*.txt",)}])
@pytest.mark.parametrize(
    "path", ["{}.safetensors", "{}/model.safetensors", "{}.safetensors.index.json", "model.txt{}", "{}.json"]
)
def test_fifty_thousand_files_take_about_a_second_at_worst(path, wanted):
    sizes = {path.format(number): 200 for number in range(50_000)} | {"model.safetensors": 200}
    listing = repository(sizes)
    began = time.process_time()
    assert choose(listing, FilesWanted(**wanted))
    assert time.process_time() - began < 8.0  # not the time of 2.5 billion looks, of each file at all others


def index(weight_map) -> bytes:
    return json.dumps({"metadata": {"total_size": 9}, "weight_map": weight_map}).encode()


def shards_refusal(text, sizes=LLAMA) -> str:
    (planned,) = chosen(sizes)
    with pytest.raises(CheckpointRefusedError) as refused:
        with_shards(planned, text)
    assert refused.value.message.isprintable()
    return refused.value.message


def test_the_weights_of_an_index_are_those_that_it_names():
    (planned,) = chosen(LLAMA | {"sub/other.safetensors": 100})
    first, last = "model-00001-of-00003.safetensors", "sub/other.safetensors"
    whole = with_shards(planned, index({"a": last, "b": first, "c": first}))
    assert [(file.path, file.size) for file in whole.weights] == [(first, 5_000 * MB), (last, 100)]
    assert whole.bytes == 5_000 * MB + 100 + 23_950 + 654 + 185
    assert (whole.name, whole.local, whole.index, whole.beside) == ("", "", planned.index, planned.beside)


def test_an_index_in_a_sub_folder_names_files_beside_it():
    sizes = {f"unet/{path}": size for path, size in MISTRAL.items()} | SHARDS
    (planned,) = chosen(sizes, include=("unet/model*",))
    whole = with_shards(planned, index({"a": "model-00002-of-00003.safetensors"}))
    assert [file.path for file in whole.weights] == ["unet/model-00002-of-00003.safetensors"]
    assert (whole.name, whole.local) == ("unet", "unet")


def test_a_checkpoint_without_an_index_stays_as_it_is():
    (planned,) = chosen(BERT)
    assert with_shards(planned, b"") is planned


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "corrupt: not JSON"),
        (b"\xff", "corrupt: not JSON"),
        (b"[" * 200_000, "corrupt: not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "corrupt: not JSON"),
        (b"[]", "corrupt: a JSON list, expected an object"),
        (b"{}", "corrupt: no weight_map from tensors to files"),
        (index({}), "corrupt: no weight_map from tensors to files"),
        (index({"a": 3}), "corrupt: weight_map gives no file for tensor 'a'"),
        (index({"a": "model-00009-of-00003.safetensors"}),
         "shard 'model-00009-of-00003.safetensors' is missing from the repository"),
        (index({"a": "./model-00001-of-00003.safetensors"}),
         "shard './model-00001-of-00003.safetensors' is missing from the repository"),
        (index({"a": "\ud800.safetensors"}), "shard '\\ud800.safetensors' is missing from the repository"),
        (index({"a": "config.json"}), "unsafe: shard 'config.json', expected .safetensors"),
        (index({"a": "original/consolidated.00.pth"}),
         "unsafe: shard 'original/consolidated.00.pth', expected .safetensors"),
        *((index({"a": shard}), f"unsafe: shard {shard!r} is not a plain path inside the folder")
          for shard in ("../x.safetensors", "a/../../x", "/etc/passwd", "C:\\x", "c:x", "..\\x", "\\\\host\\x", "a\0",
                        "")),
    ],
    ids=range(22),
)  # fmt: skip
def test_a_broken_or_hostile_index_is_refused(text, message):
    assert shards_refusal(text) == f"org/name/{INDEX}: {message}"


def test_what_an_index_names_is_checked_as_any_other_file():
    odd = "odd.safetensors"
    message = shards_refusal(index({"a": odd}), LLAMA | {odd: 0})
    assert message == f"org/name/{odd}: an empty file, expected weights"
    hidden = ".hidden.safetensors"
    assert shards_refusal(index({"a": hidden}), LLAMA | {hidden: MB}).endswith("a part begins with a dot")
    clash = {"N.safetensors": MB, "n.safetensors": MB}
    message = shards_refusal(index({"a": "N.safetensors", "b": "n.safetensors"}), LLAMA | clash)
    assert message.endswith("the same where case does not count")


def test_a_shard_that_is_listed_twice_with_two_sizes_is_refused():
    first = "model-00001-of-00003.safetensors"
    listing = repository(LLAMA)
    (planned,) = choose(listing, FilesWanted())
    twice = dataclasses.replace(
        planned, listing=dataclasses.replace(listing, files=(*listing.files, RemoteFile(first, 9)))
    )
    with pytest.raises(CheckpointRefusedError, match=f"^org/name: unsafe file name '{first}': listed twice$"):
        with_shards(twice, index({"a": first}))


def test_a_shard_that_is_excluded_is_missing():
    first = "model-00001-of-00003.safetensors"
    (planned,) = chosen(LLAMA, exclude=(first,))
    with pytest.raises(CheckpointRefusedError, match="is missing from the repository"):
        with_shards(planned, index({"a": first}))


def test_pickled_shards_may_be_named_by_a_pickled_index_alone():
    (planned,) = chosen(PICKLED, pickle=True)
    names = [path for path in PICKLED if "-of-" in path]
    whole = with_shards(planned, index(dict(zip("ab", names, strict=True))))
    assert [file.path for file in whole.weights] == names
    with pytest.raises(CheckpointRefusedError, match=r"unsafe: shard '2_Dense/model.safetensors', expected .pt or"):
        with_shards(planned, index({"a": "2_Dense/model.safetensors"}))
