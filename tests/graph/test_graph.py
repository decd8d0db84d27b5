"""The weight graph of chains, and the same graph in torch_geometric."""

import numpy as np
import pytest
import torch
from networks import InMemory, Plan, floating_shapes, in_float64, random_weights, spec_of

from wembed.errors import NotFoundError
from wembed.graph import build_graph
from wembed.graph.pyg import save_pyg, to_pyg
from wembed.symmetry import canonical, declare_spec, infer_spec

# torch_geometric still asks for it when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

CNN = Plan(2, (4, 6, 5), 3, kernels=(3, 1), pooled=frozenset({0}), norm="after")
MLP = Plan(3, (4, 5), 2, activation="tanh")


def _graph(plan: Plan):
    arrays = random_weights(plan, np.random.default_rng(0))
    return build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays))


def test_groups_are_the_axes_in_data_flow_order():
    groups = _graph(MLP).groups
    assert {name: group.size for name, group in groups.items()} == {"input": 3, "0.out": 4, "2.out": 5, "4.out": 2}
    assert [group.free for group in groups.values()] == [False, True, True, False]
    assert [group.ordered for group in groups.values()] == [True, False, False, True]
    assert [group.signed for group in groups.values()] == [False, True, True, False]


def test_blocks_run_from_input_to_output():
    blocks = _graph(MLP).blocks
    assert [(block.source, block.target) for block in blocks] == [
        ("input", "0.out"),
        ("0.out", "2.out"),
        ("2.out", "4.out"),
    ]
    assert [block.depth for block in blocks] == [0.0, 0.5, 1.0]
    assert [block.taps for block in blocks] == [(), (), ()]


def test_single_layer_stands_in_the_middle():
    assert [block.depth for block in _graph(Plan(3, (), 2)).blocks] == [0.5]


def test_taps_are_kernel_positions_or_the_pixels_of_a_flatten():
    graph = _graph(CNN)
    assert [block.taps for block in graph.blocks] == [(3, 3), (1, 1), (16,), ()]
    assert [block.weight().shape for block in graph.blocks] == [(4, 2, 9), (6, 4, 1), (5, 6, 16), (3, 5, 1)]


def test_flattened_weight_is_taken_apart_channel_by_channel():
    plan = Plan(2, (4,), 3, kernels=(3,), activation="gelu")
    arrays = random_weights(plan, np.random.default_rng(0))
    block = build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays)).blocks[-1]
    np.testing.assert_array_equal(block.weight(), arrays["3.weight"].reshape(3, 4, 64))


def test_norm_that_is_not_folded_is_a_feature_of_its_nodes():
    groups = _graph(CNN).groups
    assert {"bias", "gain", "shift"} <= groups["0.out"].vectors.keys()
    assert groups["input"].vectors.keys() == set()
    assert (groups["0.out"].vectors["bias"] == _graph(CNN).blocks[0].bias).all()


def test_folded_norm_leaves_no_trace_but_the_weights():
    plan = Plan(3, (4,), 2, activation="gelu", norm="before")
    arrays = random_weights(plan, np.random.default_rng(0))
    graph = build_graph(InMemory(in_float64(arrays)), spec_of(plan, arrays))
    gain = arrays["1.weight"] / np.sqrt(arrays["1.running_var"].astype(np.float64) + 1e-5)
    np.testing.assert_allclose(graph.blocks[0].weight()[:, :, 0], gain[:, None] * arrays["0.weight"], rtol=1e-6)
    assert graph.groups["0.out"].vectors.keys() == {"bias"}


def test_slopes_are_features():
    shapes = {"0.weight": (4, 3), "1.weight": (4,), "2.weight": (2, 4)}
    arrays = {name: np.random.default_rng(0).normal(size=shape) for name, shape in shapes.items()}
    graph = build_graph(InMemory(arrays), declare_spec(shapes, [["0", "1", "2"]]))
    np.testing.assert_array_equal(graph.groups["0.out"].vectors["slope"], arrays["1.weight"])


def test_two_chains_have_depths_of_their_own():
    shapes = {f"{head}.{i}.weight": (4, 4) for head, count in (("a", 3), ("b", 2)) for i in range(0, 2 * count, 2)}
    arrays = {name: np.random.default_rng(0).normal(size=shape) for name, shape in shapes.items()}
    graph = build_graph(InMemory(arrays), infer_spec(shapes))
    assert {block.name: block.depth for block in graph.blocks} == {
        "a.0": 0.0,
        "a.2": 0.5,
        "a.4": 1.0,
        "b.0": 0.0,
        "b.2": 1.0,
    }


@pytest.mark.parametrize("plan", [MLP, CNN, Plan(3, (), 2)], ids=["mlp", "cnn", "one layer"])
def test_exported_graph_is_valid(plan):
    graph = _graph(plan)
    data = to_pyg(graph)
    assert data.validate(raise_on_error=True)
    assert {name: data[name].num_nodes for name in data.node_types} == {g.name: g.size for g in graph.groups.values()}
    assert [edge[1] for edge in data.edge_types] == [block.name for block in graph.blocks]
    assert all(data[name].x.shape[1] == 5 for name in data.node_types)


@pytest.mark.parametrize("plan", [MLP, CNN], ids=["mlp", "cnn"])
def test_edges_carry_the_canonical_weights(plan):
    arrays = random_weights(plan, np.random.default_rng(0))
    spec, checkpoint = spec_of(plan, arrays), InMemory(in_float64(arrays))
    data = to_pyg(build_graph(checkpoint, spec))
    for layer, edge in zip(canonical(checkpoint, spec).flow.dense, data.edge_types, strict=True):
        weight, edges = layer.weight(), data[edge]
        source, target = edges.edge_index.numpy()
        np.testing.assert_allclose(edges.edge_attr.numpy(), weight[target, source], rtol=1e-6)
        assert len(source) == weight.shape[0] * weight.shape[1] == len(set(zip(source, target, strict=True)))


@pytest.mark.filterwarnings("ignore:There exist node types.*'input'.*do not get updated:UserWarning")
def test_message_pass_of_torch_geometric_runs_over_it():
    from torch_geometric.nn import GraphConv, HeteroConv

    data = to_pyg(_graph(CNN))
    layers = {edge: GraphConv((-1, -1), 8) for edge in data.edge_types}
    weights = {edge: data[edge].edge_attr.mean(1) for edge in data.edge_types}
    out = HeteroConv(layers, aggr="sum")(data.x_dict, data.edge_index_dict, weights)
    assert {name: tuple(states.shape) for name, states in out.items()} == {
        "0.out": (4, 8),
        "4.out": (6, 8),
        "8.out": (5, 8),
        "11.out": (3, 8),
    }
    assert all(torch.isfinite(states).all() for states in out.values())


def test_saved_graph_is_read_back(tmp_path):
    data = to_pyg(_graph(MLP))
    save_pyg(_graph(MLP), tmp_path / "graph.pt")
    again = torch.load(tmp_path / "graph.pt", weights_only=False)
    assert again.metadata() == data.metadata()
    for edge in data.edge_types:
        assert torch.equal(again[edge].edge_attr, data[edge].edge_attr)
    assert [path.name for path in tmp_path.iterdir()] == ["graph.pt"]


def test_graph_that_cannot_be_written_says_why(tmp_path):
    with pytest.raises(NotFoundError, match=r"graph\.pt: its folder does not exist"):
        save_pyg(_graph(MLP), tmp_path / "missing" / "graph.pt")


def test_shapes_helper_leaves_integers_out():
    arrays = random_weights(Plan(3, (4,), 2, norm="before"), np.random.default_rng(0))
    assert "1.num_batches_tracked" not in floating_shapes(arrays)
