"""The baselines on flat weights: what they read, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
from every_architecture import EVERY, described, label_of

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder.flat import Flat, FlatConfig, flat_length, flat_weights
from wembed.errors import CheckpointRefusedError
from wembed.graph import build_graph
from wembed.models import MLP, initial_state
from wembed.symmetry import apply_action, random_action, structure_signature
from wembed.zoo.builder.specs import network_spec


def item(architecture, seed: int = 0):
    description = described(architecture)
    state = initial_state(description, seed=seed)
    floats = {name: value.astype(np.float64) for name, value in state.items() if value.dtype.kind == "f"}
    return in_memory(floats, path=Path("a.safetensors")), network_spec(description)


def flat_for(checkpoint: Checkpoint, inputs: int, components: int = 0) -> Flat:
    return Flat(FlatConfig(structure_signature(checkpoint), inputs, components))


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_the_length_is_known_without_reading(architecture):
    graph = build_graph(*item(architecture))
    assert flat_weights(graph).shape == (flat_length(graph),)


def test_norms_that_do_not_fold_are_read():
    checkpoint, spec = item(MLP(hidden=(6, 5), norm="layer"))
    graph = build_graph(checkpoint, spec)
    gains = sum(group.vectors["gain"].size for group in graph.groups.values() if "gain" in group.vectors)
    layers = sum(block.weight().size + block.bias.size for block in graph.blocks)
    assert flat_length(graph) >= layers + gains


@pytest.mark.parametrize("components", [0, 3], ids=["mlp", "pca-mlp"])
def test_scales_are_forgotten_and_the_order_is_not(components):
    checkpoint, spec = item(MLP(hidden=(6, 5)))
    action = random_action(spec, np.random.default_rng(1), rescale=True)
    still = {atom: np.arange(len(order)) for atom, order in action.permutations.items()}
    before = flat_weights(build_graph(checkpoint, spec))
    graphs = [
        build_graph(in_memory(dict(apply_action(part, spec, checkpoint.read))), spec)
        for part in (type(action)(still, action.scales), type(action)(action.permutations, {}))
    ]
    rescaled, permuted = (flat_weights(graph) for graph in graphs)
    np.testing.assert_allclose(rescaled, before, atol=1e-9)
    assert np.abs(permuted - before).max() > 1e-2
    assert flat_for(checkpoint, len(before), components).embed([(checkpoint, spec)]).shape == (1, 128)


@pytest.mark.parametrize(("components", "name"), [(0, "mlp"), (3, "pca-mlp")])
def test_another_structure_is_refused(components, name):
    known, other = item(MLP(hidden=(6, 5))), item(MLP(hidden=(7, 5)))
    encoder = flat_for(known[0], flat_length(build_graph(*known)), components)
    with pytest.raises(
        CheckpointRefusedError, match=rf"a.safetensors: structure \w+, the {name} encoder knows"
    ) as caught:
        encoder.embed([known, other])
    assert caught.value.hint == "use a gnn, which knows every structure"


def test_other_symmetries_are_refused():
    known = item(MLP(hidden=(6, 5)))
    encoder = flat_for(known[0], flat_length(build_graph(*known)) + 2)
    with pytest.raises(CheckpointRefusedError, match=r"its symmetries leave \d+ weights, the mlp encoder knows \d+"):
        encoder.embed([known])
