from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from every_architecture import CHAINS, EVERY, TEXTS, described, label_of

from wembed.checkpoint import in_memory, open_checkpoint, write_safetensors
from wembed.models import MLP, T5, Llama, ModelDescription, ViT, initial_state, load_module
from wembed.models.foreign import described_runnable, runnable_of
from wembed.symmetry import apply_action, find_spec, random_action, spec_metadata
from wembed.symmetry.prove import prove
from wembed.zoo.builder.specs import network_spec


def saved(description: ModelDescription, tensors: dict[str, np.ndarray] | None = None):
    """A file as a zoo's, in memory."""
    spec = network_spec(description)
    tensors = tensors or initial_state(description, seed=1)
    return in_memory(tensors, description.metadata() | spec_metadata(spec), Path("a.safetensors"))


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_the_stored_spec_is_proven_by_running(architecture):
    checkpoint = saved(described(architecture))
    proof = prove(find_spec(checkpoint), described_runnable(checkpoint), np.random.default_rng(0))
    assert proof.verification.holds, proof.verification
    assert proof.network == architecture.label
    assert proof.verification.atoms > 0


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_a_permuted_and_rescaled_copy_gives_the_same_logits(architecture, record_property):
    description = described(architecture)
    state = initial_state(description, seed=2)
    spec = network_spec(description)
    changed = dict(apply_action(random_action(spec, np.random.default_rng(3), rescale=True), spec, state.__getitem__))
    assert any(not np.array_equal(changed[name], state[name]) for name in changed)
    inputs = runnable_of(description).args[0]
    with torch.no_grad():
        before = load_module(saved(description, state))(inputs)
        after = load_module(saved(description, {**state, **changed}))(inputs)
    largest = float((after - before).abs().max() / before.abs().max())
    record_property("logits: permuted and rescaled zoo network", largest)
    assert largest < 1e-5


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_every_tensor_of_a_file_has_its_place_in_the_spec(architecture):
    description = described(architecture)
    assert network_spec(description).tensors.keys() == initial_state(description, seed=0).keys()
    assert not any("no part of the architecture" in note for note in network_spec(description).notes)


def test_plain_chains_are_declared_and_all_others_traced():
    tiers = {architecture: network_spec(described(architecture)).tier for architecture in EVERY}
    declared = [architecture for architecture in CHAINS if architecture.norm != "layer"]
    assert [architecture for architecture, tier in tiers.items() if tier == "given"] == declared
    assert set(tiers.values()) == {"given", "traced"}


def test_layer_norms_leave_hidden_neurons_free():
    spec = network_spec(described(MLP(hidden=(6, 5), norm="layer")))
    assert sorted(atom.size for atom in spec.atoms.values() if not atom.frozen) == [5, 6]


def test_a_vision_transformer_frees_its_stream_its_heads_and_what_is_within():
    spec = network_spec(described(ViT(patch=4, width=8, layers=1)))
    free = Counter(atom.size for atom in spec.atoms.values() if not atom.frozen)
    assert free == {8: 1, 2: 1, 4: 2, 16: 1}  # stream, heads, queries and values of a head, MLP


@pytest.mark.parametrize("architecture", TEXTS, ids=label_of)
def test_a_network_that_reads_is_run_on_characters(architecture):
    (inputs,) = runnable_of(described(architecture)).args
    assert inputs.dtype == torch.int64
    assert int(inputs.min()) >= 0 and int(inputs.max()) < 20


def test_long_windows_are_proven_on_their_beginning():
    description = ModelDescription(architecture=T5(width=8, layers=1), shape=(300,), classes=20)
    checkpoint = saved(description)
    network = described_runnable(checkpoint)
    assert network.args[0].shape[1] < 300
    assert prove(find_spec(checkpoint), network, np.random.default_rng(0)).verification.holds


def test_a_body_whose_names_all_begin_alike_keeps_them_on_disk(tmp_path):
    memory = saved(described(Llama(width=8, layers=1, tied=True)))
    assert all(name.startswith("model.") for name in memory.tensors)
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {name: ("F32", memory.read(name)) for name in memory.tensors}, memory.metadata)
    checkpoint = open_checkpoint(path)
    assert checkpoint.tensors.keys() == memory.tensors.keys()
    assert find_spec(checkpoint).hash == find_spec(memory).hash
