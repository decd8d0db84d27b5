"""Which spec a checkpoint gets, and what is said where a spec does not fit."""

import json

import numpy as np
import pytest
from networks import Plan, floating_shapes, random_weights, spec_of

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError, UsageError, WembedError
from wembed.symmetry import declare_spec, find_spec, permute, spec_metadata, structure_signature
from wembed.symmetry.serialise import spec_to_json

PLAN = Plan(3, (4, 5), 2)


def _write(path, arrays, metadata=None, dtype="F32"):
    write_safetensors(path, {name: (dtype, array) for name, array in arrays.items()}, metadata or {})
    return open_checkpoint(path)


@pytest.fixture
def arrays():
    return random_weights(PLAN, np.random.default_rng(0))


def test_spec_is_inferred_where_none_is_given(arrays, tmp_path):
    spec = find_spec(_write(tmp_path / "net.safetensors", arrays))
    assert spec.tier == "inferred"
    assert [atom.name for atom in spec.atoms.values() if not atom.frozen] == ["0.out", "2.out"]


def test_spec_of_the_metadata_comes_before_inference(arrays, tmp_path):
    spec = spec_of(PLAN, arrays)
    assert find_spec(_write(tmp_path / "net.safetensors", arrays, spec_metadata(spec))) == spec


def test_given_spec_comes_before_the_metadata(arrays, tmp_path):
    checkpoint = _write(tmp_path / "net.safetensors", arrays, spec_metadata(spec_of(PLAN, arrays)))
    given = declare_spec(floating_shapes(arrays), [["0", "tanh", "2", "tanh", "4"]])
    assert find_spec(checkpoint, given) is given


def test_spec_of_another_width_is_refused_by_tensor(arrays, tmp_path):
    other = Plan(3, (4, 6), 2)
    spec = spec_of(other, random_weights(other, np.random.default_rng(0)))
    checkpoint = _write(tmp_path / "net.safetensors", arrays, spec_metadata(spec))
    with pytest.raises(
        CheckpointRefusedError, match=r"net\.safetensors: tensor 2\.bias has shape \[5\], its spec says \[6\]"
    ):
        find_spec(checkpoint)


def test_spec_with_a_tensor_too_many_is_refused(arrays, tmp_path):
    spec = spec_of(PLAN, arrays)
    del arrays["4.bias"]
    with pytest.raises(CheckpointRefusedError, match=r"the spec's tensor 4\.bias is not in the file"):
        find_spec(_write(tmp_path / "net.safetensors", arrays, spec_metadata(spec)))


def test_spec_with_a_tensor_too_few_is_refused(arrays, tmp_path):
    spec = spec_of(PLAN, arrays)
    arrays["extra"] = np.zeros(3, dtype=np.float32)
    with pytest.raises(CheckpointRefusedError, match=r"tensor extra is not in the spec"):
        find_spec(_write(tmp_path / "net.safetensors", arrays, spec_metadata(spec)))


@pytest.mark.parametrize("text", ["", "{", "null", '{"format": 1}', "[" * 100_000, '{"format": 1, "tier": []}'])
def test_broken_spec_in_the_metadata_is_refused_with_a_way_out(arrays, tmp_path, text):
    checkpoint = _write(tmp_path / "net.safetensors", arrays, {"wembed.spec": text})
    with pytest.raises(CheckpointRefusedError, match=r"net\.safetensors: its metadata holds a broken spec: ") as caught:
        find_spec(checkpoint)
    assert caught.value.hint == "give another with --spec"


def test_huge_atom_in_the_metadata_is_refused_without_using_memory(arrays, tmp_path):
    data = spec_to_json(spec_of(PLAN, arrays))
    data["atoms"]["0.out"]["size"] = 2**62
    checkpoint = _write(tmp_path / "net.safetensors", arrays, {"wembed.spec": json.dumps(data)})
    with pytest.raises(CheckpointRefusedError, match=r"tensor 0\.(weight|bias) has shape"):
        find_spec(checkpoint)


def test_one_structure_has_one_signature(arrays, tmp_path):
    other = random_weights(PLAN, np.random.default_rng(1))
    one = _write(tmp_path / "one.safetensors", arrays)
    two = _write(tmp_path / "two.safetensors", dict(reversed(other.items())), {"a": "b"})
    prefixed = _write(tmp_path / "three.safetensors", {f"module.{name}": array for name, array in other.items()})
    assert structure_signature(one) == structure_signature(two) == structure_signature(prefixed)


def test_another_shape_has_another_signature(arrays, tmp_path):
    wide = random_weights(Plan(3, (4, 6), 2), np.random.default_rng(0))
    one, two = (_write(tmp_path / f"{i}.safetensors", tensors) for i, tensors in enumerate((arrays, wide)))
    assert structure_signature(one) != structure_signature(two)


def _refused(arrays, steps, message, hint=""):
    with pytest.raises(UsageError, match=message) as caught:
        declare_spec(floating_shapes(arrays), [steps])
    assert hint in caught.value.hint


KNOWN = "modules: 0, 2, 4; activations: relu, leaky_relu"


def test_unknown_step_is_refused_with_the_known_ones(arrays):
    _refused(arrays, ["0", "swoosh", "2"], "step 'swoosh' is no module of this checkpoint and no activation", KNOWN)


def test_chain_without_a_layer_is_refused(arrays):
    _refused(arrays, ["relu"], "the chain 'relu' names no dense layer", KNOWN)


def test_layers_that_do_not_fit_are_refused_with_a_hint_at_flatten(arrays):
    _refused(
        arrays, ["0", "relu", "4"], "4 reads 5 channels, what stands before it in the chain has 4", "put `flatten`"
    )


def test_flatten_that_does_not_divide_is_refused(arrays):
    _refused(arrays, ["0", "relu", "flatten", "4"], "4 reads 5 channels, what stands before it in the chain has 4")


def test_norm_of_another_width_is_refused():
    plan = Plan(3, (4, 5), 2, norm="before")
    arrays = random_weights(plan, np.random.default_rng(0))
    _refused(arrays, ["0", "4", "relu"], "4 has 5 channels, what stands before it in the chain has 4")


def test_tensors_of_no_step_are_frozen_and_said(arrays):
    spec = declare_spec(floating_shapes(arrays), [["0", "relu", "2"]])
    assert spec.atoms["4.weight.1"].frozen == "no part of a chain that is known"
    assert spec.notes == ("2 tensors frozen, no part of a known chain: 4.bias, 4.weight",)


def test_max_pool_takes_the_sign_away():
    arrays = random_weights(Plan(2, (4, 5), 3, kernels=(3,), activation="tanh"), np.random.default_rng(0))
    steps = ["0", "tanh", "max_pool", "flatten", "3", "tanh", "5"]
    sites = declare_spec(floating_shapes(arrays), [steps]).sites
    assert (sites["0.out"].scale, sites["3.out"].scale) == ("none", "sign")


def test_scale_class_follows_the_activation(arrays):
    steps = ["0", "leaky_relu", "2", "4"]
    sites = declare_spec(floating_shapes(arrays), [steps]).sites
    assert [sites[name].scale for name in ("input", "0.out", "2.out", "4.out")] == ["none", "positive", "real", "none"]


def test_nothing_to_permute_is_said(tmp_path):
    checkpoint = _write(tmp_path / "one.safetensors", random_weights(Plan(3, (), 2), np.random.default_rng(0)))
    with pytest.raises(WembedError, match=r"one\.safetensors: nothing in it may be permuted") as caught:
        permute(checkpoint, find_spec(checkpoint), tmp_path / "out.safetensors", np.random.default_rng(0))
    assert caught.value.hint == "see why with `wembed inspect`"


def test_rescale_without_known_activations_is_refused(arrays, tmp_path):
    checkpoint = _write(tmp_path / "net.safetensors", arrays)
    with pytest.raises(UsageError, match=r"nothing in it may be rescaled, its activations are not known") as caught:
        permute(checkpoint, find_spec(checkpoint), tmp_path / "out.safetensors", np.random.default_rng(0), rescale=True)
    assert "wembed inspect --chain" in caught.value.hint
    assert not (tmp_path / "out.safetensors").exists()


def test_rescale_of_eight_bit_floats_is_refused(arrays, tmp_path):
    small = {name: np.full(array.shape, 60, dtype=np.uint8) for name, array in arrays.items()}
    checkpoint = _write(tmp_path / "net.safetensors", small, dtype="F8_E4M3")
    with pytest.raises(UsageError, match=r"F8_E4M3 weights cannot be rescaled exactly"):
        permute(checkpoint, spec_of(PLAN, arrays), tmp_path / "out.safetensors", np.random.default_rng(0), rescale=True)


def test_eight_bit_floats_are_permuted_as_they_lie(arrays, tmp_path):
    generator = np.random.default_rng(0)
    small = {name: generator.integers(0, 100, array.shape).astype(np.uint8) for name, array in arrays.items()}
    checkpoint = _write(tmp_path / "net.safetensors", small, dtype="F8_E4M3")
    permute(checkpoint, spec_of(PLAN, arrays), tmp_path / "out.safetensors", generator)
    after = open_checkpoint(tmp_path / "out.safetensors")
    assert sorted(after.read_stored("2.weight").reshape(-1)) == sorted(small["2.weight"].reshape(-1))


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_half_precision_is_rescaled_by_powers_of_two_only(dtype, arrays, tmp_path):
    encoded = {
        "F16": lambda array: array.astype(np.float16),
        "BF16": lambda array: (array.view(np.uint32) >> 16).astype(np.uint16),
    }
    checkpoint = _write(tmp_path / "net.safetensors", {n: encoded[dtype](a) for n, a in arrays.items()}, dtype=dtype)
    spec = spec_of(PLAN, arrays)
    permute(checkpoint, spec, tmp_path / "out.safetensors", np.random.default_rng(3), rescale=True)
    after = open_checkpoint(tmp_path / "out.safetensors")
    for name in arrays:
        # A factor of two changes no mantissa.
        before, moved = (np.sort(np.abs(np.frexp(c.read(name))[0]), axis=None) for c in (checkpoint, after))
        np.testing.assert_array_equal(before, moved)
        assert after.tensors[name].dtype == dtype
    assert any(
        not np.array_equal(np.sort(np.abs(checkpoint.read(n)), None), np.sort(np.abs(after.read(n)), None))
        for n in arrays
    )


def test_prefix_metadata_and_integers_are_kept(arrays, tmp_path):
    tensors = {f"module.{name}": ("F32", array) for name, array in arrays.items()}
    tensors["module.steps"] = ("I64", np.array(5))
    path = tmp_path / "net.safetensors"
    write_safetensors(path, tensors, {"author": "someone"})
    checkpoint = open_checkpoint(path)
    permute(checkpoint, find_spec(checkpoint), tmp_path / "out.safetensors", np.random.default_rng(0))
    after = open_checkpoint(tmp_path / "out.safetensors")
    assert after.prefix == "module."
    assert after.metadata["author"] == "someone"
    assert after.read("steps") == 5


def test_hidden_groups_that_stay_are_counted(arrays, tmp_path):
    checkpoint = _write(tmp_path / "net.safetensors", arrays)
    spec = declare_spec(floating_shapes(arrays), [["0", "relu", "2"]])
    said = permute(checkpoint, spec, tmp_path / "out.safetensors", np.random.default_rng(0))
    assert said == ["3 hidden groups left as they are, see `wembed inspect`"]
