"""The encoders on every kind of network: in every gauge, in every company, whole and piece by piece."""

import numpy as np
import pytest
from every_architecture import EVERY, IMAGE, LABELS, TEXTS, VOCABULARY, WINDOW, label_of

import wembed.encoder.batches as batches
import wembed.encoder.features as features
import wembed.encoder.reading as reading
from wembed.checkpoint import in_memory
from wembed.encoder import Item, load_encoder
from wembed.encoder.gnn import Gnn
from wembed.encoder.readout import GnnConfig
from wembed.models import Architecture, ModelDescription
from wembed.models.modules import initial_state
from wembed.symmetry import apply_action, random_action
from wembed.zoo.builder.specs import network_spec


def item_of(architecture: Architecture, seed: int) -> Item:
    shape, classes = (WINDOW, VOCABULARY) if architecture in TEXTS else (IMAGE, LABELS)
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


def test_without_probes_accuracies_are_read_off_what_a_network_is_like():
    encoder = Gnn(GnnConfig(probes=0))
    item = item_of(EVERY[0], 0)
    assert encoder.embed([item]).shape == (1, encoder.dimension)
    assert encoder.dimension == Gnn(GnnConfig(probes=8)).dimension - encoder.config.part
