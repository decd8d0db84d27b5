"""The explicit-edge encoder: what it forgets, what it sees, and its graphs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from every_architecture import CHAINS, EVERY, IMAGES, described, label_of

from wembed.checkpoint import in_memory
from wembed.encoder import load_encoder, save_encoder
from wembed.encoder.pna import Pna, PnaConfig
from wembed.encoder.pna.features import EDGE_FEATURES, NODE_FEATURES, TAP_MODES
from wembed.errors import WembedError
from wembed.graph import WeightGraph, build_graph
from wembed.models import CNN, MLP, Architecture, initial_state
from wembed.symmetry import apply_action, random_action
from wembed.zoo.builder.specs import network_spec

FEW = (MLP(hidden=(6, 5)), MLP(hidden=(6, 4, 5), activation="tanh"), CNN(hidden=(3, 4, 5), norm="batch"), *IMAGES[::4])


@pytest.fixture(scope="module")
def pna() -> Pna:
    return Pna()


def noisy(architecture: Architecture, seed: int = 0):
    """An item whose biases and norms are not what they start as."""
    description, generator = described(architecture), np.random.default_rng(seed)
    state = initial_state(description, seed=seed)
    floats = {name: value.astype(np.float64) for name, value in state.items() if value.dtype.kind == "f"}
    changed = {name: value + 0.1 * np.abs(generator.normal(size=value.shape)) for name, value in floats.items()}
    return in_memory(changed, path=Path("a.safetensors")), network_spec(description)


def acted(item, seed: int, rescale: bool):
    checkpoint, spec = item
    action = random_action(spec, np.random.default_rng(seed), rescale=rescale)
    return in_memory(dict(apply_action(action, spec, checkpoint.read)), path=checkpoint.path), spec


def graph_of(architecture: Architecture) -> WeightGraph:
    return build_graph(*noisy(architecture))


@pytest.mark.parametrize("rescale", [False, True], ids=["permuted", "rescaled"])
@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_embedding_forgets_order_scale_and_signs(pna, architecture, rescale, record_property):
    item = noisy(architecture)
    before, after = pna.embed([item, acted(item, 1, rescale)])
    change = float(np.linalg.norm(after - before))
    record_property(f"pna: {'permuted and rescaled' if rescale else 'permuted'}", change)
    assert change < 1e-4


@pytest.mark.parametrize("architecture", FEW, ids=label_of)
def test_networks_of_one_architecture_are_told_apart(pna, architecture):
    one, other = pna.embed([noisy(architecture, 1), noisy(architecture, 2)])
    assert np.linalg.norm(one - other) > 1e-4


def test_embedding_does_not_depend_on_the_batch(pna, record_property):
    items = [noisy(architecture) for architecture in EVERY]
    alone = np.concatenate([pna.embed([item]) for item in items])
    change = float(np.abs(pna.embed(items) - alone).max())
    record_property("pna: alone or in a batch", change)
    assert change < 1e-5


def test_no_networks_give_no_rows(pna):
    assert pna.embed([]).shape == (0, pna.dimension)


@pytest.mark.parametrize("architecture", CHAINS, ids=label_of)
def test_every_weight_is_an_edge_in_both_directions(architecture):
    graph = graph_of(architecture)
    joined = Pna.batch([graph, graph]).joined
    weights = sum(graph.groups[block.source].size * graph.groups[block.target].size for block in graph.blocks)
    nodes = sum(group.size for group in graph.groups.values())
    assert joined.x.shape == (2 * nodes, NODE_FEATURES)
    assert joined.edge_attr.shape == (4 * weights, EDGE_FEATURES)
    index = joined.edge_index[:, : 2 * weights]
    ahead, back = index[:, :weights], index[:, weights:]
    assert set(map(tuple, ahead.T.tolist())) == {(source, target) for target, source in back.T.tolist()}
    assert torch.equal(joined.edge_index[:, 2 * weights :], index + nodes)


def test_edges_hold_the_weights_between_their_ends():
    graph = graph_of(MLP(hidden=(6, 5)))
    block, (network,) = graph.blocks[1], Pna.batch([graph]).networks
    names = list(graph.groups)
    starts = dict(zip(names, np.cumsum([0, *(graph.groups[name].size for name in names[:-1])]), strict=True))
    joined = network.graph()
    weight = block.weight()[..., 0] / np.sqrt(np.square(block.weight()).mean())
    for backward in (0, 1):
        for target, source in ((0, 0), (4, 1), (2, 5)):
            ends = torch.tensor([starts[block.source] + source, starts[block.target] + target])
            ends = ends.flip(0) if backward else ends
            (place,) = (joined.edge_index == ends[:, None]).all(0).nonzero()[:, 0].tolist()
            assert float(joined.edge_attr[place, 0]) == pytest.approx(weight[target, source], rel=1e-5)
            assert not joined.edge_attr[place, 1:TAP_MODES].any()
            assert float(joined.edge_attr[place, -1]) == backward


def test_edges_of_a_kernel_hold_all_of_it():
    graph = graph_of(CNN(hidden=(3, 4)))
    (network,) = Pna.batch([graph]).networks
    first, count = graph.blocks[0], graph.blocks[0].weight().shape[0]
    squares = network.modes[:count].square().sum(1)
    kernels = np.square(first.weight()[:, 0]).sum(1) / np.square(first.weight()).mean()
    np.testing.assert_allclose(squares, kernels, rtol=1e-5)


def test_selected_networks_are_the_same_as_those_alone(pna):
    batch = Pna.batch([graph_of(architecture) for architecture in FEW])
    index = torch.tensor([2, 0])
    with torch.inference_mode():
        selected, whole = pna.module(batch.select(index)), pna.module(batch.to(torch.device("cpu")))
    assert torch.allclose(selected, whole[index], atol=1e-6)


def test_many_edges_are_run_in_parts_with_the_same_gradients(monkeypatch):
    module, batch = Pna(PnaConfig(hidden_dim=16)).module, Pna.batch([graph_of(architecture) for architecture in FEW])
    found = []
    for edges, kept in ((2**16, 2**19), (1000, 2**19), (1000, 1)):
        monkeypatch.setattr("wembed.encoder.pna.networks.EDGES", edges)
        monkeypatch.setattr("wembed.encoder.pna.module._EDGES_KEPT", kept)
        module.zero_grad()
        fresh = batch.select(torch.arange(len(FEW)))
        vectors = module(fresh)
        vectors[:, 0].sum().backward()
        found.append((len(fresh.parts), vectors.detach(), module.first_edges.weight.grad.clone()))
    assert found[0][0] == 1 < found[1][0] == found[2][0]
    for _, vectors, gradient in found[1:]:
        assert torch.allclose(vectors, found[0][1], atol=1e-6)
        assert torch.allclose(gradient, found[0][2], atol=1e-6)


def test_networks_of_one_structure_share_their_wiring():
    one, other = Pna.batch([graph_of(FEW[0]), graph_of(FEW[0])]).to(torch.device("cpu")).networks
    assert one.wiring is other.wiring


def test_gradients_reach_every_weight():
    module = Pna(PnaConfig(hidden_dim=16)).module.train()
    module.accuracy_logits(Pna.batch([graph_of(architecture) for architecture in FEW])).sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in module.parameters())


def test_calibration_learns_the_degrees():
    module = Pna().module
    module.calibrate([Pna.batch([graph_of(MLP(hidden=(6, 5)))])])
    degrees = np.log1p([6] * 64 + [64 + 5] * 6 + [6 + 10] * 5 + [5] * 10)  # edges lead both ways
    for convolution in module.convolutions:
        assert float(convolution.aggregate.avg_deg_log) == pytest.approx(degrees.mean(), rel=1e-5)


def test_a_trained_one_survives_its_folder(tmp_path):
    encoder = Pna(PnaConfig(hidden_dim=16, layers=2, seed=3))
    encoder.module.calibrate([Pna.batch([graph_of(FEW[0])])])
    trained = Pna(encoder.config, encoder.module.state_dict())
    save_encoder(trained, tmp_path)
    again = load_encoder("mine", tmp_path)
    assert again.id == trained.id != Pna(encoder.config).id
    item = noisy(FEW[0])
    np.testing.assert_array_equal(again.embed([item]), trained.embed([item]))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    save_encoder(Pna(PnaConfig(hidden_dim=16)), tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"hidden_dim": 16', '"hidden_dim": 24'))
    with pytest.raises(WembedError, match="holds no pna encoder that fits its config"):
        load_encoder("mine", tmp_path)
