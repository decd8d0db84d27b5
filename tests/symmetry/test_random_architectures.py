"""No wrong group: whatever is claimed of random networks is tried by itself, by running them; and nothing is missed."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_networks import (
    Attention,
    Concat,
    Convolution,
    Dense,
    Front,
    Gated,
    Grouped,
    Mlp,
    NetworkPlan,
    Recurrent,
    Shared,
    network_plans,
)

from wembed.symmetry import Action, SymmetrySpec, apply_action, random_continuous_action
from wembed.symmetry.action.random_actions import random_action
from wembed.symmetry.spec import Atom
from wembed.symmetry.trace import trace_spec
from wembed.symmetry.verify import Bench

TOLERANCE = 1e-8  # relative, float64
CONTROL = 1e-3

_many = {"suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def _spec(plan: NetworkPlan) -> SymmetrySpec:
    network = plan.runnable().traceable
    return trace_spec(network.module, network.args)


def _permutations(spec: SymmetrySpec, generator: np.random.Generator) -> dict[str, Action]:
    """For each free atom by itself a permutation that is not the identity."""
    return {atom.name: _permutation(spec, atom, generator) for atom in spec.atoms.values() if not atom.frozen}


def _permutation(spec: SymmetrySpec, atom: Atom, generator: np.random.Generator) -> Action:
    parents = spec.sizes[atom.under] if atom.under else 1
    rows = np.stack([generator.permutation(atom.size) for _ in range(parents)])
    if (rows == np.arange(atom.size)).all():
        rows[0] = np.roll(rows[0], 1)
    return Action({atom.name: rows if atom.under else rows[0]}, {})


def _continuous(spec: SymmetrySpec, generator: np.random.Generator) -> Iterator[tuple[str, Action]]:
    """For each site by itself scales and, where they are more, matrices, turns and a shift."""
    whole, plain = random_continuous_action(spec, generator), random_action(spec, generator, rescale=True)
    for name, factors in plain.scales.items():
        yield f"scales of {name}", Action({}, {name: factors})
    for kind in ("mixes", "turns", "shifts"):
        for name, factors in getattr(whole, kind).items():
            yield f"{kind} of {name}", replace(Action({}, {}), **{kind: {name: factors}})


def _prove(plan: NetworkPlan) -> None:
    """All that is claimed holds, and all groups that there are by theory are claimed."""
    spec, generator = _spec(plan), np.random.default_rng(0)
    bench = Bench.of(spec, plan.runnable(), generator)
    claims = {**_permutations(spec, generator), **dict(_continuous(spec, generator))}
    wrong = {name: error for name, action in claims.items() if (error := bench.error(action)) > TOLERANCE}
    assert not wrong
    assert sorted(atom.size for atom in spec.atoms.values() if not atom.frozen) == plan.free


@settings(max_examples=25, **_many)
@given(plan=network_plans)
def test_all_that_is_claimed_of_random_networks_holds(plan):
    _prove(plan)


@pytest.mark.slow
@settings(max_examples=300, **_many)
@given(plan=network_plans)
def test_all_that_is_claimed_of_many_random_networks_holds(plan):
    _prove(plan)


PLANS = {
    "chain": NetworkPlan(
        Front("vectors", 5), (Dense(4, "relu", "none", True), Dense(3, "tanh", "none", True)), "steps"
    ),
    "norms": NetworkPlan(
        Front("vectors", 5), (Dense(4, "relu", "batch", True), Mlp(6, "gelu", "layer"), Mlp(4, "relu", "rms")), "mean"
    ),
    "concat": NetworkPlan(
        Front("vectors", 5), (Concat(4, 3, "identity"), Shared(2, "identity"), Mlp(5, "relu", "none")), "steps"
    ),
    "image": NetworkPlan(Front("image", 4), (Dense(5, "relu", "none", True),), "steps"),
    "pixels": NetworkPlan(
        Front("pixels", 4),
        (Convolution(5, False, "relu"), Convolution(5, True, "silu"), Mlp(3, "relu", "batch")),
        "mean",
    ),
    "grouped": NetworkPlan(
        Front("vectors", 4), (Grouped(2, 3, 4, "convolution", "relu"), Grouped(3, 2, 2, "norm", "silu")), "steps"
    ),
    "recurrent": NetworkPlan(Front("tokens", 4), (Recurrent("gru", 5), Recurrent("lstm", 3)), "mean"),
    "tied, nothing between": NetworkPlan(Front("tokens", 4), (Mlp(3, "identity", "none"),), "tied"),
    "tied": NetworkPlan(Front("tokens", 4), (Gated(5, "silu", True), Mlp(3, "gelu", "layer")), "tied"),
    "heads": NetworkPlan(Front("tokens", 4), (Attention(2, 1, 4, 3, "split", True, False),), "mean"),
    "heads of one": NetworkPlan(Front("tokens", 4), (Attention(3, 1, 2, 1, "split", False, False),), "steps"),
    "shared heads": NetworkPlan(Front("tokens", 4), (Attention(3, 2, 4, 2, "split", False, True),), "steps"),
    "joined heads": NetworkPlan(Front("tokens", 4), (Attention(3, 2, 2, 3, "joined", True, False),), "steps"),
    "heads by head": NetworkPlan(Front("tokens", 4), (Attention(3, 2, 2, 3, "by_head", True, False),), "steps"),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_kind_is_free_where_theory_says_and_nowhere_else(name):
    _prove(PLANS[name])


@pytest.mark.parametrize("name", PLANS)
def test_every_free_atom_is_seen_where_one_tensor_alone_is_permuted(name):
    spec, generator = _spec(PLANS[name]), np.random.default_rng(0)
    bench = Bench.of(spec, PLANS[name].runnable(), generator)
    for action in _permutations(spec, generator).values():
        moved = dict(apply_action(action, spec, bench.weights.__getitem__))
        changed = [name for name in moved if not np.array_equal(moved[name], bench.weights[name])]
        weights = [name for name in changed if bench.weights[name].ndim > 1]
        assert max(bench._error({name: moved[name]}) for name in weights) > CONTROL


@settings(max_examples=100, **_many)
@given(plan=network_plans)
def test_random_networks_have_something_to_be_permuted(plan):
    assert len(plan.free) >= 1
