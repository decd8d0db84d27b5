"""The canonical form is one per network: every gauge leads to it, and it computes the network's function."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import InMemory, Plan, in_float64, random_weights, run_network, spec_of

from wembed.encoder import load_encoder
from wembed.symmetry import apply_action, canonical, declare_spec, random_action
from wembed.symmetry.axes import gather_index
from wembed.symmetry.canonical_form.balance import Term, balance
from wembed.symmetry.spec import SCALE_OF_ACTIVATION

LEAKY = 0.01
FUNCTIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, LEAKY * x),
    "tanh": np.tanh,
    "identity": lambda x: x,
    "unknown": lambda x: x,
}
PLANS = [
    pytest.param(Plan(5, (30, 1, 17), 4, activation=activation, norm=norm), id=f"mlp-{activation}-{norm}")
    for activation in ("relu", "leaky_relu", "tanh")
    for norm in ("none", "before", "after")
] + [
    pytest.param(Plan(3, (20, 9, 12), 4, kernels=(3, 1), norm=norm, pooled=frozenset({0})), id=f"cnn-{norm}")
    for norm in ("none", "before", "after")
]


def _case(plan: Plan, seed: int):
    arrays = random_weights(plan, np.random.default_rng(seed))
    return in_float64(arrays), spec_of(plan, arrays)


def _assert_same_up_to_signs(spec, action, before, after) -> float:
    """The largest difference of canonical weights and biases, after undoing the permutation, over the largest."""
    largest = 0.0
    for one, other in zip(before.flow.dense, after.flow.dense, strict=True):
        rows = gather_index(spec.sites[one.target].axis, action.permutations, spec.sizes)
        columns = gather_index(spec.sites[one.source].axis, action.permutations, spec.sizes)
        weight, moved = one.weight()[rows][:, columns], other.weight()
        bias, moved_bias = one.bias[rows], other.bias
        if {one.source, one.target} & before.signed:
            weight, moved, bias, moved_bias = (np.abs(part) for part in (weight, moved, bias, moved_bias))
        largest = max(largest, np.abs(weight - moved).max() / np.abs(weight).max())
        largest = max(largest, np.abs(bias - moved_bias).max() / (np.abs(bias).max() or 1.0))
    for one, other in zip(before.flow.affine, after.flow.affine, strict=True):
        index = gather_index(spec.sites[one.target].axis, action.permutations, spec.sizes)
        largest = max(largest, np.abs(np.abs(one.gain[index]) - np.abs(other.gain)).max() / np.abs(one.gain).max())
        largest = max(largest, np.abs(np.abs(one.shift[index]) - np.abs(other.shift)).max())
    return float(largest)


@pytest.mark.parametrize("plan", PLANS)
def test_two_gauges_have_one_canonical_form(plan, record_property):
    values, spec = _case(plan, 11)
    action = random_action(spec, np.random.default_rng(12), rescale=True)
    moved = dict(apply_action(action, spec, values.__getitem__))
    before, after = canonical(InMemory(values), spec), canonical(InMemory(moved), spec)
    largest = _assert_same_up_to_signs(spec, action, before, after)
    record_property("canonical: two gauges", largest)
    assert before.signed == after.signed
    assert largest < 1e-9


@pytest.mark.parametrize("plan", PLANS)
def test_canonical_form_is_balanced(plan, record_property):
    values, spec = _case(plan, 13)
    flow = canonical(InMemory(values), spec).flow
    into: dict[str, np.ndarray] = {}
    out_of: dict[str, np.ndarray] = {}
    for layer in flow.dense:
        weight = layer.weight()
        fan_in = weight.shape[1] * weight.shape[2]
        # mean((fan_in W)^2), split over targets and over sources
        mean = np.square(fan_in * weight) / weight.size
        into[layer.target] = into.get(layer.target, 0.0) + mean.sum((1, 2)) + layer.bias**2 / len(layer.bias)
        out_of[layer.source] = out_of.get(layer.source, 0.0) + mean.sum((0, 2))
    for norm in flow.affine:
        size = len(norm.gain)
        into[norm.target] = into.get(norm.target, 0.0) + (norm.gain**2 + norm.shift**2) / size
        out_of[norm.source] = out_of.get(norm.source, 0.0) + norm.gain**2 / size
    for site in flow.sites:
        if spec.sites[site].scale in ("positive", "real"):
            unbalance = float(np.abs(into[site] - out_of[site]).max() / into[site].max())
            record_property("canonical: in-flow against out-flow", unbalance)
            assert unbalance < 1e-9


@given(seed=st.integers(0, 2**32 - 1), widths=st.lists(st.integers(1, 5), min_size=3, max_size=6))
def test_balance_reaches_the_stationary_point(seed, widths):
    generator = np.random.default_rng(seed)
    places, size = [None], 0
    for width in widths[1:-1]:
        places.append(slice(size, size + width))
        size += width
    places.append(None)
    terms = []
    for index, (source, target) in enumerate(pairwise(places)):
        density = np.exp(generator.normal(0.0, 3.0, (widths[index + 1], widths[index])))
        terms.append(Term(density, target, source))
    z = balance(terms, [place for place in places if place], size)
    into, out_of = np.zeros(size), np.zeros(size)
    for term in terms:
        if term.target:
            into[term.target] += term.value(z).sum(1)
        if term.source:
            out_of[term.source] += term.value(z).sum(0)
    np.testing.assert_allclose(into, out_of, rtol=1e-9)


def test_balance_of_nothing_is_nothing():
    assert balance([], [], 0).shape == (0,)


def _forward(view, spec, inputs: np.ndarray, output: str) -> np.ndarray:
    """A run of an MLP from its canonical view: [count, inputs] to [count, outputs]."""
    values = {"input": inputs}
    waiting = [*view.flow.dense, *view.flow.affine]
    while waiting:
        layer = next(layer for layer in waiting if layer.source in values)
        waiting.remove(layer)
        seen = values[layer.source]
        if layer.source != "input":
            seen = FUNCTIONS[spec.sites[layer.source].activation](seen)
        if hasattr(layer, "gain"):
            values[layer.target] = seen * layer.gain + layer.shift
        else:
            values[layer.target] = seen @ layer.weight()[:, :, 0].T + layer.bias
    return values[output]


@pytest.mark.parametrize("plan", [param for param in PLANS if "mlp" in param.id])
def test_canonical_view_computes_the_function(plan, record_property):
    values, spec = _case(plan, 17)
    expected = run_network(plan, values, np.random.default_rng(1))
    inputs = np.random.default_rng(1).normal(size=(16, plan.inputs))
    view = canonical(InMemory(values), spec)
    assert bool(view.flow.affine) == (plan.norm == "after")
    output = next(layer.target for layer in reversed(spec.layers) if layer.kind == "dense")
    difference = np.abs(_forward(view, spec, inputs, output) - expected).max() / np.abs(expected).max()
    record_property("canonical: function of the view", float(difference))
    assert difference < 1e-10


def test_functions_here_cover_the_classes_of_sites():
    assert {SCALE_OF_ACTIVATION[name] for name in FUNCTIONS} == {"positive", "sign", "real", "none"}


def _with_idle_channels(values: dict, idle: str) -> dict:
    """A copy of an MLP in which channels 3 and 4 of the first hidden layer carry nothing, or nearly nothing."""
    changed = {name: array.copy() for name, array in values.items()}
    into, out_of = {"in": (0.0, 1.0), "out": (1.0, 0.0), "both": (0.0, 0.0), "near": (1e-5, 1e-4)}[idle]
    changed["0.weight"][3:5] *= into
    changed["0.bias"][3:5] *= into
    changed["2.weight"][:, 3:5] *= out_of
    return changed


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
@pytest.mark.parametrize("idle", ["in", "out", "both", "near"])
def test_idle_channels_do_not_move_the_embedding_with_the_gauge(idle, name, record_property):
    plan = Plan(6, (20, 15), 4)
    values, spec = _case(plan, 19)
    values = _with_idle_channels(values, idle)
    action = random_action(spec, np.random.default_rng(20), rescale=True)
    for site in action.scales:
        action.scales[site][3:5] *= 1e4
    moved = dict(apply_action(action, spec, values.__getitem__))
    one, other = load_encoder(name).embed([(InMemory(values), spec), (InMemory(moved), spec)])
    change = float(np.linalg.norm(one - other))
    record_property(f"{name}: gauge of idle channels", change)
    assert change < 1e-6


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
@pytest.mark.parametrize("idle", ["in", "out", "near"])
def test_idle_channels_look_like_channels_of_zeros(idle, name):
    plan = Plan(6, (20, 15), 4)
    values, spec = _case(plan, 19)
    pair = [(InMemory(_with_idle_channels(values, which)), spec) for which in (idle, "both")]
    one, other = load_encoder(name).embed(pair)
    assert np.linalg.norm(one - other) < 1e-6


@pytest.mark.parametrize("name", ["fingerprint", "stats", "gnn"])
def test_network_of_zeros_has_a_finite_embedding(name):
    values, spec = _case(Plan(3, (5, 4), 2, norm="after"), 0)
    zeros = {key: np.zeros_like(array) for key, array in values.items()}
    assert np.isfinite(load_encoder(name).embed([(InMemory(zeros), spec)])).all()


@pytest.mark.parametrize("order", [["tanh", "norm"], ["tanh", "norm", "relu"], ["relu", "norm", "tanh"], ["norm"]])
def test_open_signs_around_a_norm_do_not_move_embeddings(order):
    plan = Plan(6, (20, 15), 4, norm="after")
    values, _ = _case(plan, 23)
    steps = ["0", *("2" if step == "norm" else step for step in order), "3", "tanh", "5", "6"]
    spec = declare_spec({name: array.shape for name, array in values.items()}, [steps])
    action = random_action(spec, np.random.default_rng(24), rescale=True)
    moved = dict(apply_action(action, spec, values.__getitem__))
    for name in ("fingerprint", "stats", "gnn"):
        one, other = load_encoder(name).embed([(InMemory(values), spec), (InMemory(moved), spec)])
        assert np.linalg.norm(one - other) < 1e-5, name
