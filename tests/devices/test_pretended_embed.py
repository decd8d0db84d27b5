"""Every learned encoder on a pretended CUDA device: nothing is left on the CPU, and the numbers are the CPU's."""

import numpy as np
import pytest
import torch
from every_architecture import EVERY, described, label_of
from pretended import OnAnotherDeviceError, pretended_cuda

import wembed.encoder.batches as batches
import wembed.encoder.features as features
import wembed.encoder.reading as reading
from wembed.checkpoint import in_memory
from wembed.device import autocast, to_device
from wembed.encoder import Item
from wembed.encoder.flat import Flat, FlatConfig, flat_length
from wembed.encoder.gnn import Gnn
from wembed.encoder.readout import GnnConfig
from wembed.graph import build_graph
from wembed.models import CNN, GPT2, MLP, ResNet
from wembed.models.modules import initial_state
from wembed.symmetry import structure_signature
from wembed.zoo.builder.specs import network_spec

DEVICE = "cuda:0"


def item_of(architecture, seed: int = 0) -> Item:
    description = described(architecture)
    return in_memory(initial_state(description, seed)), network_spec(description)


def gnn_on(device: str) -> Gnn:
    return Gnn(GnnConfig(hidden_dim=8, global_dim=16, message_passing_steps=1, probes=8), device=device)


def flat_on(device: str, item: Item, components: int) -> Flat:
    length = flat_length(build_graph(*item))
    return Flat(FlatConfig(structure_signature(item[0]), length, components, 16, 16), device=device)


def assert_close(found, expected) -> None:
    assert np.abs(found - expected).max() < 1e-5  # torch has faster kernels for tensors that are nothing else


def test_tensors_of_two_devices_do_not_meet(monkeypatch):
    with pretended_cuda(monkeypatch):
        there = to_device(torch.ones(2, 3), DEVICE)
        with pytest.raises(OnAnotherDeviceError, match=r"on the CPU \[2, 3\]"):
            there + torch.ones(2, 3)


def test_products_are_rounded_to_bfloat16_on_a_device_that_has_it(monkeypatch):
    with pretended_cuda(monkeypatch):
        there = to_device(torch.ones(2, 3), DEVICE)
        with autocast(DEVICE):
            assert (there @ there.T).dtype == torch.bfloat16


KINDS = (MLP(hidden=(6,), norm="batch"), CNN(hidden=(3, 4)), ResNet(widths=(4, 4)), GPT2(width=8, layers=1))


@pytest.mark.parametrize("architecture", KINDS, ids=label_of)
def test_gnn_embeds_on_one_device(architecture, monkeypatch):
    item = item_of(architecture)
    expected = gnn_on("cpu").embed([item])
    with pretended_cuda(monkeypatch):
        assert_close(gnn_on(DEVICE).embed([item]), expected)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_gnn_embeds_every_architecture_on_one_device(architecture, monkeypatch):
    item = item_of(architecture)
    expected = gnn_on("cpu").embed([item])
    with pretended_cuda(monkeypatch):
        assert_close(gnn_on(DEVICE).embed([item]), expected)


@pytest.mark.parametrize("architecture", KINDS[::2], ids=label_of)
def test_gnn_embeds_a_streamed_network_on_one_device(architecture, monkeypatch):
    monkeypatch.setattr(reading, "_LARGEST_HELD", 0)
    monkeypatch.setattr(batches, "_PIECE", 50)
    monkeypatch.setattr(features, "_LARGEST_KEPT", 0)
    item = item_of(architecture)
    expected = gnn_on("cpu").embed([item])
    with pretended_cuda(monkeypatch):
        assert_close(gnn_on(DEVICE).embed([item]), expected)


def test_gnn_waits_for_the_device_once_a_batch(monkeypatch):
    items = [item_of(MLP(hidden=(6, 5)), seed) for seed in range(4)]
    with pretended_cuda(monkeypatch) as mode:
        encoder = gnn_on(DEVICE)
        mode.waits.clear()
        encoder.embed(items)
    assert mode.waits == {"a tensor is copied to the CPU": 1}


def test_node_embeddings_are_made_on_one_device(monkeypatch):
    item = item_of(KINDS[-1])
    expected = gnn_on("cpu").node_embeddings(*item)
    with pretended_cuda(monkeypatch):
        found = gnn_on(DEVICE).node_embeddings(*item)
    for name in expected:
        assert_close(found[name], expected[name])


@pytest.mark.parametrize("components", [0, 5])
def test_flat_encoders_embed_on_one_device(components, monkeypatch):
    item = item_of(MLP(hidden=(6, 5)))
    expected = flat_on("cpu", item, components).embed([item])
    with pretended_cuda(monkeypatch):
        assert_close(flat_on(DEVICE, item, components).embed([item]), expected)


@pytest.mark.parametrize("architecture", KINDS[1:3], ids=label_of)
def test_pna_embeds_on_one_device(architecture, monkeypatch):
    from wembed.encoder.pna import Pna, PnaConfig

    item, config = item_of(architecture), PnaConfig(hidden_dim=8, global_dim=16)
    expected = Pna(config).embed([item, item])
    with pretended_cuda(monkeypatch):
        assert_close(Pna(config, device=DEVICE).embed([item, item]), expected)
