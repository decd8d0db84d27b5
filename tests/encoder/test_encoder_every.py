"""The encoders on every kind of network: in every gauge, in every company, whole and piece by piece."""

import numpy as np
import pytest
from every_architecture import EVERY, IMAGE, LABELS, VOCABULARY, WINDOW, label_of

import wembed.encoder.batches as batches
import wembed.encoder.features as features
import wembed.encoder.reading as reading
from wembed.checkpoint import in_memory
from wembed.encoder import Item, load_encoder
from wembed.encoder.gnn import Gnn
from wembed.encoder.readout import GnnConfig
from wembed.models import GPT2, Architecture, Bert, ModelDescription
from wembed.models.modules import initial_state
from wembed.symmetry import apply_action, declare_spec, random_action, random_continuous_action
from wembed.zoo.builder.specs import network_spec


def item_of(architecture: Architecture, seed: int) -> Item:
    shape, classes = (WINDOW, VOCABULARY) if "text" in architecture.takes else (IMAGE, LABELS)
    description = ModelDescription(architecture=architecture, shape=shape, classes=classes)
    return in_memory(initial_state(description, seed)), network_spec(description)


def in_another_gauge(item: Item, seed: int) -> Item:
    checkpoint, spec = item
    acted = apply_action(random_action(spec, np.random.default_rng(seed)), spec, checkpoint.read)
    return in_memory({name: np.asarray(values, dtype=np.float32) for name, values in acted}), spec


@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_embedding_does_not_change_with_the_gauge(architecture, name):
    item = item_of(architecture, 0)
    one, other = load_encoder(name).embed([item, in_another_gauge(item, 1)])
    assert np.linalg.norm(one - other) < 1e-4


def test_embedding_is_independent_of_what_shares_its_batch():
    items = [item_of(architecture, seed) for architecture in EVERY for seed in (0, 1)]
    for encoder in (load_encoder("fingerprint"), Gnn(GnnConfig(probes=8))):
        together = encoder.embed(items)
        alone = np.concatenate([encoder.embed([item]) for item in items])
        assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_embedding_is_the_same_when_weights_are_read_piece_by_piece(architecture, monkeypatch):
    encoder = Gnn(GnnConfig(probes=8))
    item = item_of(architecture, 0)
    whole = encoder.embed([item])
    monkeypatch.setattr(reading, "_LARGEST_HELD", 0)
    monkeypatch.setattr(batches, "_PIECE", 50)
    monkeypatch.setattr(features, "_LARGEST_KEPT", 0)
    assert np.abs(encoder.embed([item]) - whole).max() < 1e-6


def test_networks_of_one_shape_and_other_heads_do_not_share_a_batch():
    items = [item_of(GPT2(width=12, layers=1, heads=heads), 0) for heads in (2, 3, 6)]
    encoder = Gnn(GnnConfig(probes=0))
    together = encoder.embed(items)
    alone = np.concatenate([encoder.embed([item]) for item in items])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together[0] - together[2]).max() > 1e-4


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
def test_an_empty_axis_is_no_end(name):
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (0, 4), "2.bias": (0,)}
    tensors = {key: np.ones(shape, dtype=np.float32) for key, shape in shapes.items()}
    vectors = load_encoder(name).embed([(in_memory(tensors), declare_spec(shapes, [["0", "relu", "2"]]))])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
@pytest.mark.parametrize(
    "architecture", [Bert(width=12, layers=1, heads=3), GPT2(width=12, layers=1, heads=3)], ids=label_of
)
def test_moving_biases_that_are_zero_changes_nothing(architecture, name):
    checkpoint, spec = item_of(architecture, 0)
    tensors = {key: np.asarray(checkpoint.read(key)) for key in checkpoint.tensors}
    tensors |= {key: np.zeros_like(values) for key, values in tensors.items() if key.endswith("bias")}
    action = random_continuous_action(spec, np.random.default_rng(0))
    acted = {
        key: np.asarray(values, dtype=np.float64) for key, values in apply_action(action, spec, tensors.__getitem__)
    }
    one, other = load_encoder(name).embed([(in_memory(tensors), spec), (in_memory(acted), spec)])
    assert np.linalg.norm(one - other) < 1e-4


def test_without_probes_accuracies_are_read_off_what_a_network_is_like():
    encoder = Gnn(GnnConfig(probes=0))
    item = item_of(EVERY[0], 0)
    assert encoder.embed([item]).shape == (1, encoder.dimension)
    assert encoder.dimension == Gnn(GnnConfig(probes=8)).dimension - encoder.config.part
