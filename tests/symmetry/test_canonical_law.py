"""The canonical form is one for all members of a symmetry class, heads, planes and low ranks included."""

import numpy as np
import pytest
from networks import InMemory
from small_networks import NETWORKS, Net

from wembed.encoder import load_encoder
from wembed.graph import build_graph
from wembed.symmetry import apply_action, canonical, random_action, random_continuous_action

DRAWS = {
    "permuted": random_action,
    "rescaled": lambda spec, generator: random_action(spec, generator, rescale=True),
    "continuous": random_continuous_action,
}
CASES = [pytest.param(name, draw, id=f"{name}-{kind}") for name in NETWORKS for kind, draw in DRAWS.items()]


def _pair(name: str, draw, seed: int) -> tuple[Net, InMemory, InMemory]:
    net = NETWORKS[name](seed)
    action = draw(net.spec, np.random.default_rng(seed))
    moved = dict(apply_action(action, net.spec, net.arrays.__getitem__))
    return net, InMemory(net.arrays), InMemory(moved)


def _statistics(view) -> dict[str, np.ndarray]:
    """What does not depend on the order of channels, nor on their signs."""
    found = {}
    for layer in view.flow.dense:
        weight = np.abs(layer.weight())
        rows, columns = np.sqrt((weight**2).sum((1, 2))), np.sqrt((weight**2).sum((0, 2)))
        values = [np.sort(part.ravel()) for part in (weight, rows, columns, np.abs(layer.bias))]
        found[layer.name] = np.concatenate([*values, (weight**2).sum((0, 1))])
    for norm in view.flow.affine:
        parts = (np.abs(norm.gain), np.abs(norm.shift), norm.size)
        found[norm.name] = np.concatenate([np.sort(part) for part in parts])
    return found


@pytest.mark.parametrize(("name", "draw"), CASES)
def test_two_members_of_a_class_have_one_canonical_form(name, draw, record_property):
    net, one, other = _pair(name, draw, 31)
    before, after = (_statistics(canonical(checkpoint, net.spec)) for checkpoint in (one, other))
    assert before.keys() == after.keys()
    largest = max(float(np.abs(before[key] - after[key]).max() / np.abs(before[key]).max()) for key in before)
    record_property("canonical: two members of a class", largest)
    assert largest < 1e-6


@pytest.mark.parametrize("encoder", ["fingerprint", "stats", "gnn"])
@pytest.mark.parametrize(("name", "draw"), CASES)
def test_two_members_of_a_class_have_one_embedding(name, draw, encoder, record_property):
    for seed in (32, 33, 34):
        net, one, other = _pair(name, draw, seed)
        first, second = load_encoder(encoder).embed([(one, net.spec), (other, net.spec)])
        record_property(f"{encoder}: two members of a class", float(np.linalg.norm(first - second)))
        assert np.isfinite(first).all()
        assert np.linalg.norm(first - second) < 1e-4


@pytest.mark.parametrize("encoder", ["fingerprint", "gnn"])
@pytest.mark.parametrize("name", NETWORKS)
def test_another_network_has_another_embedding(name, encoder):
    one, other = NETWORKS[name](1), NETWORKS[name](2)
    first, second = load_encoder(encoder).embed([(InMemory(net.arrays), net.spec) for net in (one, other)])
    assert np.linalg.norm(first - second) > 1e-2


def test_raw_weights_of_two_members_differ():
    net, one, other = _pair("attention", random_continuous_action, 33)
    assert all(not np.allclose(np.sort(one.read(key).ravel()), np.sort(other.read(key).ravel())) for key in net.arrays)


@pytest.mark.parametrize("name", ["attention", "fused", "fused_by_head"])
def test_view_of_a_head_keeps_its_products(name):
    net = NETWORKS[name](34)
    views = {layer.name: layer for layer in canonical(InMemory(net.arrays), net.spec).flow.dense}
    raw = _heads(net)
    for one, other in (("q", "k"), ("v", "o")):
        first, second = (_by_head(views[key], views[key].rows if key != "o" else None) for key in (one, other))
        expected = np.einsum("gdra,gdsb->grasb", raw[one], raw[other])
        np.testing.assert_allclose(np.einsum("gdra,gdsb->grasb", first, second), expected, atol=1e-12)


def _by_head(view, rows) -> np.ndarray:
    """[g, d, repeats, entries] of what a head's dimensions see."""
    weight = view.weight()[:, :, 0]
    return rows.grouped(weight) if rows else view.columns.grouped(weight.T)


def _heads(net: Net) -> dict[str, np.ndarray]:
    from wembed.symmetry.action.channels import channels_of
    from wembed.symmetry.canonical_form.views import DenseView

    layers = {layer.name: layer for layer in net.spec.layers}
    channels = channels_of(net.spec)
    views = {key: DenseView.of(InMemory(net.arrays), net.spec, layers[key], channels) for key in "qkvo"}
    return {key: _by_head(view, view.rows if key != "o" else None) for key, view in views.items()}


@pytest.mark.parametrize(("name", "sites"), [("attention", "qkv"), ("fused", "qkv"), ("lora", ["rank"])])
def test_matrices_are_balanced_and_orthogonal(name, sites):
    net = NETWORKS[name](35)
    flow = canonical(InMemory(net.arrays), net.spec).flow
    for site in sites:
        for view in flow.dense:
            if view.target == site and not view.bias.any():
                rows = view.rows.grouped(view.weight()[:, :, 0])
                products = np.einsum("gdra,gera->gde", rows, rows)
                off = products - np.einsum("gde,de->gde", products, np.eye(products.shape[1]))
                assert np.abs(off).max() < 1e-12 * np.abs(products).max()
                assert (np.diff(np.einsum("gdd->gd", products), axis=1) < 0).all()


def test_key_and_value_biases_are_gone_and_queries_stay():
    net = NETWORKS["attention"](36)
    views = {layer.name: layer for layer in canonical(InMemory(net.arrays), net.spec).flow.dense}
    assert not views["k"].bias.any()
    assert not views["v"].bias.any()
    assert views["q"].bias.any()
    weight = net.arrays["o.weight"].reshape(3, 2, 2, 3).sum(2).reshape(3, 6)
    np.testing.assert_allclose(views["o"].bias, net.arrays["o.bias"] + weight @ net.arrays["v.bias"], atol=1e-12)


def test_planes_of_queries_and_keys_are_equally_large_and_in_phase():
    net = NETWORKS["rotary"](37)
    views = {layer.name: layer for layer in canonical(InMemory(net.arrays), net.spec).flow.dense}
    sums = {}
    for key in "qk":
        real, imaginary = views[f"{key}0"], views[f"{key}1"]
        whole = np.concatenate([real.weight()[:, :, 0] + 1j * imaginary.weight()[:, :, 0]], 1) * np.sqrt(6)
        bias = (real.bias + 1j * imaginary.bias)[:, None]
        both = np.concatenate([whole, bias], 1) / np.sqrt(len(whole))
        energy = real.rows.summed((np.abs(both) ** 2).sum(1))
        square = (both**2).sum(1)
        sums[key] = energy, real.rows.summed(square.real) + 1j * real.rows.summed(square.imag)
    np.testing.assert_allclose(sums["q"][0], sums["k"][0])
    phase = sums["q"][1] + sums["k"][1]
    assert (np.abs(phase.imag) < 1e-12).all()
    assert (phase.real > 0).all()


def test_gain_that_only_dense_layers_read_is_folded_into_them():
    net = NETWORKS["gated"](38)
    flow = canonical(InMemory(net.arrays), net.spec).flow
    assert not flow.affine
    gate = next(layer for layer in flow.dense if layer.name == "gate")
    assert gate.source == "normalised"
    np.testing.assert_allclose(gate.bias, net.arrays["gate.weight"] @ net.arrays["norm.bias"])
    np.testing.assert_allclose(gate.weight()[:, :, 0], net.arrays["gate.weight"] * net.arrays["norm.weight"])


def test_gain_behind_a_stream_stays_a_node():
    net = NETWORKS["post_norm"](39)
    assert [norm.name for norm in canonical(InMemory(net.arrays), net.spec).flow.affine] == ["norm"]


@pytest.mark.parametrize("name", ["attention", "rotary", "lora"])
def test_dead_heads_do_not_move_embeddings(name):
    net = NETWORKS[name](40)
    arrays = {key: values.copy() for key, values in net.arrays.items()}
    key = {"attention": "q.weight", "rotary": "k.weight", "lora": "a.weight"}[name]
    arrays[key][1] = 0.0
    if "q.bias" in arrays:
        arrays["q.bias"][1] = 0.0
    action = random_continuous_action(net.spec, np.random.default_rng(41))
    moved = dict(apply_action(action, net.spec, arrays.__getitem__))
    for encoder in ("fingerprint", "gnn"):
        pair = [(InMemory(values), net.spec) for values in (arrays, moved)]
        first, second = load_encoder(encoder).embed(pair)
        assert np.linalg.norm(first - second) < 1e-4


def test_signed_sites_stand_apart_from_others_along_their_axis():
    net = NETWORKS["lstm"](42)
    graph = build_graph(InMemory(net.arrays), net.spec)
    assert {name: group.signed for name, group in graph.groups.items() if group.size == 5} == {
        "h": False,
        "h @ cell": True,
    }
