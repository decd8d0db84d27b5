"""What is written is what is read: specs, permuted files, encoders."""

import json

import numpy as np
import pytest
from networks import Plan, random_weights, read_all, spec_of, write_chain

from wembed.checkpoint import open_checkpoint
from wembed.encoder import load_encoder, save_encoder
from wembed.symmetry import find_spec, infer_spec, load_spec, permute, save_spec, spec_metadata
from wembed.symmetry.serialise import spec_from_json, spec_to_json

PLANS = {
    "mlp": Plan(5, (7, 6), 3, norm="after"),
    "cnn": Plan(2, (4, 6, 5), 3, kernels=(3, 1), activation="tanh", norm="before"),
    "pooled": Plan(2, (4, 6), 3, kernels=(3, 3), activation="gelu", global_pool=True),
}


@pytest.fixture(params=PLANS, scope="module")
def chain(request, tmp_path_factory):
    plan = PLANS[request.param]
    path = tmp_path_factory.mktemp("chain") / "net.safetensors"
    return write_chain(plan, random_weights(plan, np.random.default_rng(2)), path)


def test_spec_survives_json(chain):
    spec = chain.spec
    again = spec_from_json(json.loads(json.dumps(spec_to_json(spec))))
    assert again == spec
    assert again.hash == spec.hash
    assert again.notes == spec.notes
    assert again.tier == spec.tier


def test_inferred_spec_survives_json(chain):
    spec = infer_spec({name: info.shape for name, info in chain.checkpoint.tensors.items() if info.is_floating})
    again = spec_from_json(json.loads(json.dumps(spec_to_json(spec))))
    assert again == spec
    assert again.hash == spec.hash
    assert again.tier == "inferred"


def test_a_declared_spec_comes_back_as_given(chain, tmp_path):
    save_spec(chain.spec, tmp_path / "spec.json")
    assert load_spec(tmp_path / "spec.json").tier == "given"


def test_a_spec_that_was_inferred_stays_a_guess(chain, tmp_path):
    inferred = infer_spec({name: info.shape for name, info in chain.checkpoint.tensors.items() if info.is_floating})
    save_spec(inferred, tmp_path / "spec.json")
    again = load_spec(tmp_path / "spec.json")
    assert again.tier == "inferred"
    assert again.hash == inferred.hash
    assert [path.name for path in tmp_path.iterdir()] == ["spec.json"]


def test_spec_hash_does_not_depend_on_the_order_of_tensors(chain):
    arrays = read_all(chain.checkpoint)
    assert spec_of(chain.plan, dict(reversed(arrays.items()))).hash == chain.spec.hash


def test_spec_hash_tells_activations_apart():
    relu, tanh = Plan(3, (4,), 2), Plan(3, (4,), 2, activation="tanh")
    arrays = random_weights(relu, np.random.default_rng(0))
    assert spec_of(relu, arrays).hash != spec_of(tanh, arrays).hash


def test_permuted_file_carries_its_spec(chain, tmp_path):
    permute(chain.checkpoint, chain.spec, tmp_path / "out.safetensors", np.random.default_rng(1))
    permuted = open_checkpoint(tmp_path / "out.safetensors")
    assert spec_metadata(chain.spec).items() <= permuted.metadata.items()
    assert find_spec(permuted) == chain.spec
    assert find_spec(permuted).hash == chain.spec.hash
    assert find_spec(permuted).tier == "given"


def test_permuted_file_is_another_file_with_the_same_tensors(chain, tmp_path):
    permute(chain.checkpoint, chain.spec, tmp_path / "out.safetensors", np.random.default_rng(1))
    permuted = open_checkpoint(tmp_path / "out.safetensors")
    assert permuted.file_hash() != chain.checkpoint.file_hash()
    assert permuted.content_hash() != chain.checkpoint.content_hash()
    assert permuted.tensors == chain.checkpoint.tensors
    for name, values in read_all(chain.checkpoint).items():
        np.testing.assert_array_equal(np.sort(permuted.read(name), axis=None), np.sort(values, axis=None))


def test_permuted_file_of_one_seed_is_the_same_file(chain, tmp_path):
    for name in ("one", "two"):
        permute(chain.checkpoint, chain.spec, tmp_path / f"{name}.safetensors", np.random.default_rng(5))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
def test_permuted_file_scores_one_against_its_original(chain, name, tmp_path):
    permute(chain.checkpoint, chain.spec, tmp_path / "out.safetensors", np.random.default_rng(1))
    permuted = open_checkpoint(tmp_path / "out.safetensors")
    one, other = load_encoder(name).embed([chain.item, (permuted, find_spec(permuted))])
    assert float(one @ other) >= 0.9999


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
def test_saved_encoder_gives_the_same_vectors(chain, name, tmp_path):
    encoder = load_encoder(name)
    save_encoder(encoder, tmp_path / "saved")
    again = load_encoder(name, tmp_path / "saved")
    assert (again.name, again.id, again.dimension) == (encoder.name, encoder.id, encoder.dimension)
    np.testing.assert_array_equal(again.embed([chain.item]), encoder.embed([chain.item]))
