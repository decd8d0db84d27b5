"""What a merged file holds beside merged numbers, and what is refused."""

import json
import re

import numpy as np
import pytest
import torch
from merge_files import write_merged
from safetensors import safe_open

from wembed.checkpoint import in_memory, open_checkpoint
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging.methods import Combination
from wembed.merging.streamed import Source
from wembed.symmetry import apply_action, infer_spec, random_action

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def opened(*paths):
    return [Source(open_checkpoint(path)) for path in paths]


@pytest.fixture
def pair(family):
    return opened(family.write(1), family.write(2))


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_dtype_is_kept(family, tmp_path, dtype):
    sources = opened(family.write(1, dtype), family.write(2, dtype))
    write_merged(sources, None, Combination(), tmp_path / "out.safetensors")
    dtypes = {name: info.dtype for name, info in open_checkpoint(tmp_path / "out.safetensors").tensors.items()}
    assert dtypes == {name: info.dtype for name, info in sources[0].checkpoint.tensors.items()}
    assert set(dtypes.values()) == {dtype, "I64"}


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_another_dtype_is_that_of_all_floats(pair, tmp_path, dtype):
    write_merged(pair, None, Combination(), tmp_path / "out.safetensors", dtype)
    found = open_checkpoint(tmp_path / "out.safetensors")
    assert {info.dtype for info in found.tensors.values() if info.is_floating} == {dtype}


def test_networks_of_different_dtypes_are_merged(family, tmp_path):
    sources = opened(family.write(1, "BF16"), family.write(2, "F64"))
    write_merged(sources, None, Combination(t=0.5), tmp_path / "out.safetensors", "F64")
    expected = (family.tensors(1, "BF16")[HEAD].double() + family.tensors(2, "F64")[HEAD]) / 2
    assert np.array_equal(open_checkpoint(tmp_path / "out.safetensors").read(HEAD), expected.numpy())


def test_whole_numbers_are_those_of_the_base(family, tmp_path):
    base, *networks = opened(*(family.write(number) for number in range(3)))
    written = write_merged(networks, base, Combination("task"), tmp_path / "out.safetensors")
    found = open_checkpoint(tmp_path / "out.safetensors")
    assert found.read("steps") == [1000]
    assert (written.tensors, written.merged) == (6, 5)


def test_names_keep_their_order_and_their_prefix(family, tmp_path):
    changed = {f"module.{name}": values for name, values in family.tensors(1, "F32").items()}
    torch.save({"state_dict": changed}, tmp_path / "wrapped.pt")
    sources = opened(tmp_path / "wrapped.pt", family.write(2))
    write_merged(sources, None, Combination(), tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", "np") as file:
        assert set(file.keys()) == set(changed)
    assert list(open_checkpoint(tmp_path / "out.safetensors").tensors) == list(sources[0].checkpoint.tensors)


def test_safetensors_library_reads_it(pair, tmp_path):
    write_merged(pair, None, Combination(), tmp_path / "out.safetensors", metadata={"recipe": "linear"})
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "recipe": "linear"}
        assert file.get_tensor(HEAD).shape == (300, 256)


def test_shards_stay_those_of_the_first(family, tmp_path):
    first, second = family.write_shards(1), family.write(2)
    write_merged(opened(first, second), None, Combination(), tmp_path / "out")
    maps = [json.loads((folder / "model.safetensors.index.json").read_text()) for folder in (first, tmp_path / "out")]
    assert maps[0]["weight_map"] == maps[1]["weight_map"]
    assert maps[1]["metadata"] == {"total_size": sum(4 * v.numel() for v in family.tensors(1, "F32").values()) + 4}


def test_shards_are_as_large_as_wanted(pair, tmp_path):
    written = write_merged(pair, None, Combination(), tmp_path / "out", max_shard_bytes=700_000)
    assert written.files == tuple(f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    assert all((tmp_path / "out" / file).stat().st_size < 701_000 for file in written.files)
    whole = write_merged(pair, None, Combination(), tmp_path / "whole.safetensors")
    hashes = {open_checkpoint(tmp_path / name).content_hash() for name in ("out", "whole.safetensors")}
    assert len(hashes) == 1
    assert whole.bytes == written.bytes


def test_tensor_larger_than_a_shard_has_its_own(pair, tmp_path):
    written = write_merged(pair, None, Combination(), tmp_path / "out", max_shard_bytes=2000)
    assert len(written.files) == 5
    assert open_checkpoint(tmp_path / "out").tensors.keys() == pair[0].checkpoint.tensors.keys()


def test_folder_of_one_file_has_no_index(pair, tmp_path):
    written = write_merged(pair, None, Combination(), tmp_path / "out", max_shard_bytes=10**9)
    assert written.files == ("model.safetensors",)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["model.safetensors"]


def test_progress_ends_with_all_bytes(pair, tmp_path):
    steps = []
    written = write_merged(
        pair, None, Combination(), tmp_path / "out.safetensors", progress=lambda *step: steps.append(step)
    )
    assert steps[-1] == (written.bytes, written.bytes)
    assert steps == sorted(steps)


def test_inputs_stay_as_they_are(family, tmp_path):
    paths = [family.write(1), family.write(2)]
    before = [path.read_bytes() for path in paths]
    write_merged(opened(*paths), None, Combination("slerp"), tmp_path / "out.safetensors")
    assert [path.read_bytes() for path in paths] == before


def test_one_of_the_inputs_may_be_replaced(family, pair):
    path = pair[0].checkpoint.path
    write_merged(pair, None, Combination(t=0.0), path)
    assert np.array_equal(open_checkpoint(path).read(HEAD), family.tensors(1, "F32")[HEAD].numpy())


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare", "task", "stock"])
def test_tensors_that_are_one_stay_one(family, tmp_path, method):
    tied = [{HEAD: family.tensors(number, "F32")[EMBEDDING]} for number in range(3)]
    base, *networks = opened(*(family.write(number, changed=tied[number]) for number in range(3)))
    write_merged(networks, None if method in ("linear", "slerp") else base, Combination(method), tmp_path / "out")
    found = open_checkpoint(tmp_path / "out")
    assert np.array_equal(found.read(HEAD), found.read(EMBEDDING))


@pytest.fixture
def chain():
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (8, 5), "0.bias": (8,), "2.weight": (8, 8), "2.bias": (8,), "4.weight": (3, 8)}
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    checkpoint = in_memory(tensors | {"beside.alone": rng.standard_normal((2, 3)).astype(np.float32)})
    return checkpoint, infer_spec({name: values.shape for name, values in tensors.items()})


def test_action_is_carried_out_while_reading(chain, tmp_path):
    checkpoint, spec = chain
    action = random_action(spec, np.random.default_rng(1))
    assert action.permutations
    sources = [Source(checkpoint), Source(checkpoint, action, spec)]
    write_merged(sources, None, Combination(t=1.0), tmp_path / "out.safetensors")
    found = open_checkpoint(tmp_path / "out.safetensors")
    moved = dict(apply_action(action, spec, checkpoint.read))
    assert moved.keys() < found.tensors.keys()
    for name in found.tensors:
        assert np.array_equal(found.read(name), moved.get(name, checkpoint.read(name)))


def test_actions_that_undo_each_other_leave_nothing(chain, tmp_path):
    checkpoint, spec = chain
    action = random_action(spec, np.random.default_rng(1))
    moved = in_memory(dict(apply_action(action, spec, checkpoint.read)) | {"beside.alone": np.zeros((2, 3), "f4")})
    sources = [Source(checkpoint, action, spec), Source(moved)]
    write_merged(sources, None, Combination(), tmp_path / "out.safetensors")
    found = open_checkpoint(tmp_path / "out.safetensors")
    assert np.array_equal(found.read("2.weight"), moved.read("2.weight"))


def refused(error, message, call):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("method", ["linear", "ties"])
@pytest.mark.parametrize("dtype", ["BF16", "F32"])
@pytest.mark.parametrize("flaw", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(family, tmp_path, method, dtype, flaw):
    broken = family.tensors(2, dtype)[EMBEDDING]
    broken[200, 7] = flaw
    base, one, other = opened(
        family.write(0, dtype), family.write(1, dtype), family.write(2, dtype, {EMBEDDING: broken})
    )
    message = f"2-{dtype}.safetensors: tensor 'model.embed_tokens.weight': 1 of 76800 values are NaN or infinite"
    how = Combination(method)
    refused(
        CheckpointRefusedError,
        message,
        lambda: write_merged([one, other], base if method == "ties" else None, how, tmp_path / "out.safetensors"),
    )
    assert [path.name for path in tmp_path.iterdir()] == ["inputs"]


def test_value_too_large_for_the_dtype_is_refused(family, tmp_path):
    large = {HEAD: family.tensors(1, "F32")[HEAD] + 70_000.0}
    sources = opened(family.write(1, changed=large), family.write(2, changed=large))
    message = "tensor 'lm_head.weight': a merged value of 7e+04 does not fit F16"
    error = refused(
        UsageError, message, lambda: write_merged(sources, None, Combination(), tmp_path / "out.safetensors", "F16")
    )
    assert error.hint == "choose a wider dtype, or a smaller scale"
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({HEAD: torch.zeros(4, 256)}, "tensor 'lm_head.weight' is [300, 256] and [4, 256]"),
        ({"more": torch.zeros(4)}, "tensor 'more' is nothing and [4]"),
        ({HEAD: torch.zeros(300, 256, dtype=torch.int32)}, "tensor 'lm_head.weight' is [300, 256] and no float"),
    ],
)
def test_networks_that_differ_are_refused(family, tmp_path, changed, message):
    sources = opened(family.write(1), family.write(2, changed=changed))
    refused(
        CheckpointRefusedError,
        message,
        lambda: write_merged(sources, None, Combination(), tmp_path / "out.safetensors"),
    )


def test_unknown_dtype_is_refused(pair, tmp_path):
    error = refused(
        UsageError, "unknown dtype 'I8'", lambda: write_merged(pair, None, Combination(), tmp_path / "out", "I8")
    )
    assert error.hint == "known are F64, F32, BF16, F16"


def test_dtype_that_is_not_written_needs_another(family, tmp_path):
    small = {HEAD: family.tensors(1, "F32")[HEAD].to(torch.float8_e4m3fn)}
    sources = opened(family.write(1, changed=small), family.write(2))
    message = "tensor 'lm_head.weight' is F8_E4M3, which is not written"
    refused(CheckpointRefusedError, message, lambda: write_merged(sources, None, Combination(), tmp_path / "out"))
    write_merged(sources, None, Combination(), tmp_path / "out", "F32")


def test_quantised_network_is_refused(family, tmp_path):
    scaled = {"q.weight": torch.ones(2, 2, dtype=torch.int8), "q.weight_scale": torch.ones(2)}
    sources = opened(family.write(1, changed=scaled), family.write(2, changed=scaled))
    message = "tensor 'q.weight' is I8 with scales, which is read and not merged"
    refused(CheckpointRefusedError, message, lambda: write_merged(sources, None, Combination(), tmp_path / "out"))


def test_too_few_networks_are_refused_before_anything_is_written(pair, tmp_path):
    refused(
        UsageError,
        "merging takes two or more checkpoints, found 1",
        lambda: write_merged(pair[:1], None, Combination(), tmp_path / "out"),
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("numbers", [{"method": "task", "scale": 1e39}, {"method": "dare", "density": 1e-300}])
def test_numbers_that_are_too_extreme_are_refused_in_a_line_without_warnings(family, tmp_path, numbers):
    base, *networks = opened(*(family.write(number) for number in range(3)))
    out = tmp_path / "out.safetensors"
    error = refused(
        UsageError, ": merged values overflow", lambda: write_merged(networks, base, Combination(**numbers), out)
    )
    assert error.hint == "weights, scale or density are too extreme"
    assert not out.exists()


def test_action_needs_its_spec(pair, chain):
    _, spec = chain
    action = random_action(spec, np.random.default_rng(1))
    refused(ValueError, "an action needs its spec", lambda: Source(pair[0].checkpoint, action))


def test_moved_tensors_come_in_the_order_of_their_spec(chain):
    checkpoint, spec = chain
    source = Source(checkpoint, random_action(spec, np.random.default_rng(1)), spec)
    refused(ValueError, "out of the order of its spec", lambda: list(source.tensors(source.order[::-1])))
