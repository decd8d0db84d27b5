"""On a real CUDA device: the CPU's numbers within 1e-3, and how fast and how large it is. `pytest -m gpu` runs these.

What they record is printed at the end, beside the largest differences.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from every_architecture import EVERY, described, label_of

import wembed.encoder.features as features
import wembed.encoder.reading as reading
from wembed.checkpoint import in_memory
from wembed.device import CPU, CUDA, device_counts, forget_peak, memory, pinned, synchronise, to_device
from wembed.encoder import Item
from wembed.encoder.flat import Flat, FlatConfig, flat_length
from wembed.encoder.gnn import Gnn
from wembed.encoder.pna import Pna, PnaConfig
from wembed.encoder.readout import GnnConfig
from wembed.graph import build_graph
from wembed.models import CNN, MLP, Llama, ResNet, load_dataset
from wembed.models.modules import initial_state
from wembed.symmetry import structure_signature
from wembed.training import TrainOptions, select_data
from wembed.training import train as train_encoder
from wembed.zoo import open_items
from wembed.zoo.builder.manifest import Group, Ranges, Training
from wembed.zoo.builder.runs import Run, trainee_of
from wembed.zoo.builder.specs import network_spec
from wembed.zoo.builder.training import train as train_networks

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not device_counts()[CUDA], reason="there is no CUDA device"),
]

AGREEMENT = 1e-3


def item_of(architecture, seed: int = 0) -> Item:
    description = described(architecture)
    return in_memory(initial_state(description, seed)), network_spec(description)


def mlp_items(count: int, hidden: int = 64) -> list[Item]:
    return [item_of(MLP(hidden=(hidden, hidden)), seed) for seed in range(count)]


def seconds(device: str, work: Callable[[], object]) -> float:
    work()  # the first time kernels are loaded
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_gnn_embeds_as_on_the_cpu(architecture, record_property):
    item = item_of(architecture)
    difference = float(np.abs(Gnn(device=CUDA).embed([item]) - Gnn().embed([item])).max())
    record_property("gnn: largest difference of an embedding between CPU and CUDA", difference)
    assert difference < AGREEMENT


@pytest.mark.parametrize("architecture", EVERY[::3], ids=label_of)
def test_gnn_embeds_a_streamed_network_as_on_the_cpu(architecture, monkeypatch):
    item = item_of(architecture)
    expected = Gnn().embed([item])
    monkeypatch.setattr(reading, "_LARGEST_HELD", 0)
    monkeypatch.setattr(features, "_LARGEST_KEPT", 0)
    assert np.abs(Gnn(device=CUDA).embed([item]) - expected).max() < AGREEMENT


@pytest.mark.parametrize("architecture", EVERY[::3], ids=label_of)
def test_pna_embeds_as_on_the_cpu(architecture):
    item, config = item_of(architecture), PnaConfig()
    assert np.abs(Pna(config, device=CUDA).embed([item]) - Pna(config).embed([item])).max() < AGREEMENT


@pytest.mark.parametrize("components", [0, 8])
def test_flat_encoders_embed_as_on_the_cpu(components):
    item = item_of(MLP(hidden=(6, 5)))
    config = FlatConfig(structure_signature(item[0]), flat_length(build_graph(*item)), components)
    assert np.abs(Flat(config, device=CUDA).embed([item]) - Flat(config).embed([item])).max() < AGREEMENT


@pytest.mark.parametrize("model_type", ["gnn", "pna", "mlp", "pca-mlp"])
def test_an_epoch_trains_as_on_the_cpu(zoo, tmp_path, model_type, record_property):
    found = {}
    for device in (CPU, CUDA):
        options = TrainOptions(model_type=model_type, batch_size=16, num_epochs=1, views=2, device=device)
        data = select_data(zoo.rows(), options)
        trained = train_encoder(data, lambda rows: open_items(zoo, rows), options, tmp_path / device)
        found[device] = trained.history[0]
        record_property(f"{model_type}: networks trained on a second, {device}", found[device].networks_per_second)
    assert found[CUDA].validation_loss == pytest.approx(found[CPU].validation_loss, rel=AGREEMENT)


def test_an_epoch_in_bfloat16_comes_near(zoo, tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        options = TrainOptions(batch_size=16, num_epochs=1, views=2, device=CUDA, precision=precision)
        data = select_data(zoo.rows(), options)
        trained = train_encoder(data, lambda rows: open_items(zoo, rows), options, tmp_path / precision)
        losses.append(trained.history[0].validation_loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize("architecture", [MLP(hidden=(8, 6), norm="batch"), CNN(hidden=(3,)), ResNet(widths=(4,))])
def test_networks_are_built_as_on_the_cpu(architecture):
    training = Training(snapshots=(0, 4), batch_size=8)
    ranges = Ranges(learning_rate=(1e-3, 1e-2))
    group = Group(dataset="digits", architecture=architecture, runs=2, training=training, hyperparameters=ranges)
    data = load_dataset("digits")
    trainees = [trainee_of(Run(group, number, 0), data) for number in range(2)]
    both = [train_networks(trainees, architecture, data, training.snapshots, device=on) for on in (CUDA, CPU)]
    for one, other in zip(*both, strict=True):
        for name, values in one.tensors.items():
            assert np.abs(values - other.tensors[name]).max() < AGREEMENT


def test_pinned_copies_hold_what_was_copied():
    values = torch.arange(1 << 20)
    there = to_device(values, CUDA)
    assert pinned(values).is_pinned()
    assert torch.equal(there.cpu(), values)


@pytest.mark.parametrize("count", [32, 256])
def test_throughput_and_memory_of_embedding(count, record_property):
    items, rates = mlp_items(count), {}
    batch = Gnn.batch([build_graph(*item) for item in items])
    for device in (CPU, CUDA):
        encoder = Gnn(device=device)
        moved = batch.to(encoder.device)
        forget_peak(device)
        with torch.inference_mode():
            rates[device] = count / seconds(device, lambda encoder=encoder, moved=moved: encoder.module(moved))
        record_property(f"gnn: networks a second, batch of {count}, read already, {device}", rates[device])
    record_property(f"gnn: peak CUDA memory, batch of {count}, MB", memory(CUDA).peak / 1e6)
    assert memory(CUDA).peak < 8e9


def test_throughput_of_a_streamed_network(monkeypatch, record_property):
    item = item_of(Llama(width=1024, layers=2, heads=16, kv_heads=4))
    monkeypatch.setattr(reading, "_LARGEST_HELD", 0)
    monkeypatch.setattr(features, "_LARGEST_KEPT", 0)
    parameters = item[0].parameters
    for device in (CPU, CUDA):
        encoder = Gnn(GnnConfig(probes=0), device=device)
        rate = parameters / seconds(device, lambda encoder=encoder: encoder.embed([item]))
        record_property(f"gnn: weights a second, streamed from memory, {device}", rate)
