"""A permuted and rescaled network computes the same function, and the test would notice if it did not."""

from itertools import product

import numpy as np
import pytest
from networks import (
    ACTIVATIONS,
    Plan,
    floating_shapes,
    in_float64,
    random_weights,
    read_all,
    run_network,
    spec_of,
    widen,
    write_chain,
)

from wembed.checkpoint import open_checkpoint
from wembed.symmetry import apply_action, declare_spec, permute, random_action

SHAPES = {
    "mlp": Plan(7, (12, 1, 30), 4),
    "cnn": Plan(2, (9, 16, 11), 5, kernels=(3, 1), pooled=frozenset({0, 1})),
    "pooled": Plan(3, (10, 8), 5, kernels=(3, 3), global_pool=True),
}
FAMILIES = [
    pytest.param(Plan(**{**vars(shape), "activation": activation, "norm": norm}), id=f"{kind}-{activation}-{norm}")
    for (kind, shape), activation, norm in product(SHAPES.items(), ACTIVATIONS, ("none", "before", "after"))
]


def _may_rescale(spec) -> bool:
    return any(site.scale != "none" for site in spec.sites.values())


@pytest.mark.parametrize("plan", FAMILIES)
def test_permuted_and_rescaled_file_computes_the_same_function(plan, tmp_path, difference, record_property):
    generator = np.random.default_rng(3)
    chain = write_chain(plan, random_weights(plan, generator), tmp_path / "net.safetensors")
    rescale = _may_rescale(chain.spec)
    permute(chain.checkpoint, chain.spec, tmp_path / "out.safetensors", generator, rescale)
    changed = read_all(open_checkpoint(tmp_path / "out.safetensors"))
    largest = difference(chain, changed)
    record_property("function: permuted and rescaled file", largest)
    assert largest < 1e-5
    assert any(not np.array_equal(changed[name], values) for name, values in read_all(chain.checkpoint).items())


@pytest.mark.parametrize("plan", FAMILIES)
def test_action_keeps_the_function_to_rounding_in_float64(plan, record_property):
    generator = np.random.default_rng(4)
    arrays = random_weights(plan, generator)
    values, spec = in_float64(arrays), spec_of(plan, arrays)
    changed = dict(apply_action(random_action(spec, generator, rescale=True), spec, values.__getitem__))
    before = run_network(plan, values, np.random.default_rng(1))
    after = run_network(plan, changed, np.random.default_rng(1))
    largest = float(np.abs(after - before).max() / np.abs(before).max())
    record_property("function: action in float64", largest)
    assert largest < 1e-12


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_every_random_chain_keeps_its_function(population, start, tmp_path, difference, record_property):
    for index in range(start, start + 20):
        chain = population.chain(index)
        if chain.spec.has_free:
            out = tmp_path / f"{index}.safetensors"
            permute(chain.checkpoint, chain.spec, out, np.random.default_rng(index), _may_rescale(chain.spec))
            largest = difference(chain, read_all(open_checkpoint(out)))
            record_property("function: permuted and rescaled random chains", largest)
            assert largest < 1e-5, chain.plan


@pytest.mark.parametrize("plan", FAMILIES)
def test_permuting_one_tensor_alone_breaks_the_function(plan, tmp_path, difference):
    generator = np.random.default_rng(5)
    chain = write_chain(plan, random_weights(plan, generator), tmp_path / "net.safetensors")
    arrays = read_all(chain.checkpoint)
    broken = arrays | {"0.weight": np.roll(arrays["0.weight"], 1, axis=0)}
    assert difference(chain, broken) > 1e-2


def test_scaling_a_gelu_network_would_break_the_function(tmp_path, difference):
    plan = Plan(7, (12, 9), 4, activation="gelu")
    chain = write_chain(plan, random_weights(plan, np.random.default_rng(6)), tmp_path / "net.safetensors")
    arrays = read_all(chain.checkpoint)
    lie = declare_spec(floating_shapes(arrays), [["0", "relu", "2", "relu", "4"]])
    action = random_action(lie, np.random.default_rng(6), rescale=True)
    assert difference(chain, dict(apply_action(action, lie, arrays.__getitem__))) > 1e-2


@pytest.mark.parametrize("plan", FAMILIES)
def test_duplicated_channels_keep_the_function(plan):
    arrays = random_weights(plan, np.random.default_rng(7))
    before = run_network(plan, arrays, np.random.default_rng(1))
    after = run_network(plan.widened(3), widen(plan, in_float64(arrays), 3), np.random.default_rng(1))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12 * np.abs(before).max())


def test_population_covers_what_it_claims(population):
    plans = [chain.plan for chain in population.all]
    assert {len(plan.hidden) + 1 for plan in plans if not plan.kernels} == set(range(1, 9))
    assert {plan.activation for plan in plans} == set(ACTIVATIONS)
    assert {plan.norm for plan in plans} == {"none", "before", "after"}
    assert {size for plan in plans for size in plan.kernels} == {1, 3}
    assert {(plan.global_pool, bool(plan.pooled)) for plan in plans if plan.kernels} == set(
        product((True, False), repeat=2)
    )
    widths = [width for plan in plans for width in plan.hidden]
    assert min(widths) == 1
    assert max(widths) > 280
    assert len(plans) == 200
