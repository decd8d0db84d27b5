"""Node embeddings move with the nodes: node_embeddings(P net) = P node_embeddings(net), in every group."""

import numpy as np
import pytest
from networks import InMemory, in_float64, read_all

from wembed.encoder import load_encoder
from wembed.graph import build_graph
from wembed.symmetry import Action, apply_action, random_action
from wembed.symmetry.axes import axis_text, gather_index


@pytest.fixture(scope="module")
def gnn():
    return load_encoder("gnn", None)


def _expected(nodes: dict[str, np.ndarray], action: Action, spec) -> dict[str, np.ndarray]:
    axes = {axis_text(site.axis): site.axis for site in spec.sites.values()}
    return {name: nodes[name][gather_index(axes[name], action.permutations, spec.sizes)] for name in nodes}


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_node_embeddings_move_with_a_permutation(population, gnn, start, record_property):
    for chain in (population.chain(index) for index in range(start, start + 20)):
        values, spec = in_float64(read_all(chain.checkpoint)), chain.spec
        action = random_action(spec, np.random.default_rng(start))
        permuted = gnn.node_embeddings(InMemory(dict(apply_action(action, spec, values.__getitem__))), spec)
        expected = _expected(gnn.node_embeddings(InMemory(values), spec), action, spec)
        assert permuted.keys() == expected.keys() == build_graph(InMemory(values), spec).groups.keys()
        for name, states in permuted.items():
            largest = float(np.abs(states - expected[name]).max())
            record_property("gnn: node embeddings against permuted ones", largest)
            assert largest < 1e-5, (name, chain.plan)


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_node_embeddings_ignore_scales_up_to_open_signs(population, gnn, start, record_property):
    for chain in (population.chain(index) for index in range(start, start + 20)):
        values, spec = in_float64(read_all(chain.checkpoint)), chain.spec
        groups = build_graph(InMemory(values), spec).groups
        action = random_action(spec, np.random.default_rng(start), rescale=True)
        moved = gnn.node_embeddings(InMemory(dict(apply_action(action, spec, values.__getitem__))), spec)
        expected = _expected(gnn.node_embeddings(InMemory(values), spec), action, spec)
        for name, states in moved.items():
            even, odd = np.split(states, 2, axis=1)  # [N, D] each
            even_expected, odd_expected = np.split(expected[name], 2, axis=1)
            signs = np.sign((odd * odd_expected).sum(1, keepdims=True)) if groups[name].signed else 1.0
            largest = float(max(np.abs(even - even_expected).max(), np.abs(odd - signs * odd_expected).max()))
            record_property("gnn: node embeddings against permuted and rescaled ones", largest)
            assert largest < 1e-5, (name, chain.plan)


def test_nodes_of_one_group_are_told_apart(population, gnn):
    chain = next(c for c in population.all if not c.plan.kernels and len(c.plan.hidden) == 3 and min(c.plan.hidden) > 5)
    for name, states in gnn.node_embeddings(*chain.item).items():
        apart = np.linalg.norm(states[:, None] - states[None], axis=2) + 9.0 * np.eye(len(states))
        assert apart.min() > 1e-3, name
