"""An embedding forgets the order, the scale and the copies of neurons, and nothing else."""

import numpy as np
import pytest
import torch
from networks import Plan, random_weights, read_all, widen, write_chain

from wembed.checkpoint import open_checkpoint
from wembed.symmetry import find_spec, permute

ENCODERS = ("fingerprint", "stats", "gnn")
ORDERED = [
    Plan(12, (30, 20), 10),
    Plan(8, (40, 25, 16), 6, activation="tanh"),
    Plan(9, (24, 32), 8, activation="gelu", norm="after"),
    Plan(3, (12, 16, 20), 10, kernels=(3, 3), pooled=frozenset({0})),
]


def _permuted(chain, seed: int, out):
    rescale = any(site.scale != "none" for site in chain.spec.sites.values())
    permute(chain.checkpoint, chain.spec, out, np.random.default_rng(seed), rescale)
    checkpoint = open_checkpoint(out)
    return checkpoint, find_spec(checkpoint)


def _check(embedders, index, item, what, record_property) -> None:
    for name, embedder in embedders.items():
        change = embedder.change(index, item)
        record_property(f"{name}: {what}", change)
        assert change < 1e-4, (name, index, embedder.population.chain(index).plan)


@pytest.mark.parametrize("start", range(0, 200, 10))
def test_embedding_ignores_permutation_and_scale(population, embedders, start, tmp_path, record_property):
    for index in range(start, start + 10):
        chain = population.chain(index)
        if chain.spec.has_free:
            item = _permuted(chain, index, tmp_path / "permuted.safetensors")
            _check(embedders, index, item, "permuted and rescaled", record_property)


def _check_duplicates(population, embedders, indices, times, tmp_path, record_property) -> None:
    for index in indices:
        chain = population.chain(index)
        wide = widen(chain.plan, read_all(chain.checkpoint), times)
        item = write_chain(chain.plan.widened(times), wide, tmp_path / "wide.safetensors").item
        _check(embedders, index, item, f"channels duplicated {times} times", record_property)


@pytest.mark.parametrize("start", range(0, 200, 10))
def test_embedding_ignores_channels_duplicated_twice(population, embedders, start, tmp_path, record_property):
    _check_duplicates(population, embedders, range(start, start + 10), 2, tmp_path, record_property)


@pytest.mark.parametrize("start", range(0, 40, 4))
def test_embedding_ignores_channels_duplicated_eight_times(population, embedders, start, tmp_path, record_property):
    _check_duplicates(population, embedders, range(start, start + 4), 8, tmp_path, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(40, 200, 10))
def test_embedding_ignores_channels_duplicated_eight_times_in_all_others(
    population, embedders, start, tmp_path, record_property
):
    _check_duplicates(population, embedders, range(start, start + 10), 8, tmp_path, record_property)


@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
def test_bf16_rounding_moves_an_embedding_less_than_a_stranger_is_away(
    population, embedders, name, tmp_path, record_property
):
    vectors = np.array([embedders[name].of(index) for index in range(200)], dtype=np.float64)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) + 9.0 * np.eye(200)
    shares = []
    for index, chain in enumerate(population.all):
        path = tmp_path / "rounded.safetensors"
        rounded = write_chain(chain.plan, read_all(chain.checkpoint), path, torch.bfloat16)
        shares.append(embedders[name].change(index, rounded.item) / apart[index].min())
    record_property(
        f"{name}: bf16 change over distance to the nearest stranger, 99 % quantile", np.quantile(shares, 0.99)
    )
    assert np.mean(np.array(shares) <= 0.05) >= 0.99


@pytest.mark.parametrize("name", ENCODERS)
def test_unrelated_networks_differ(embedders, name):
    vectors = np.array([embedders[name].of(index) for index in range(200)], dtype=np.float64)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) + 9.0 * np.eye(200)
    assert apart.min() > 0.01


@pytest.mark.parametrize("name", ENCODERS)
def test_embeddings_have_length_one(embedders, name):
    vectors = np.array([embedders[name].of(index) for index in range(0, 200, 5)])
    assert vectors.dtype == np.float32
    assert vectors.shape[1] == embedders[name].encoder.dimension
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", ENCODERS)
def test_embedding_does_not_depend_on_the_batch(population, embedders, name, tmp_path, record_property):
    plan = Plan(5, (17, 8), 3, activation="tanh")
    alike = [
        write_chain(plan, random_weights(plan, np.random.default_rng(seed)), tmp_path / f"{seed}.safetensors")
        for seed in range(40)
    ]
    chains = [*alike[:20], *(population.chain(index) for index in range(20)), *alike[20:]]
    encoder = embedders[name].encoder
    alone = np.concatenate([encoder.embed([chain.item]) for chain in chains])
    together = encoder.embed([chain.item for chain in chains])
    reversed_ = encoder.embed([chain.item for chain in reversed(chains)])[::-1]
    change = float(max(np.abs(together - alone).max(), np.abs(reversed_ - alone).max()))
    record_property(f"{name}: alone or in a batch", change)
    assert change < 1e-5


@pytest.mark.parametrize("name", ENCODERS)
def test_empty_batch_gives_no_rows(embedders, name):
    assert embedders[name].encoder.embed([]).shape == (0, embedders[name].encoder.dimension)


@pytest.mark.parametrize("end", ["inputs", "outputs"])
@pytest.mark.parametrize("name", ["fingerprint", "gnn"])
@pytest.mark.parametrize("plan", ORDERED, ids=["relu", "tanh", "gelu", "cnn"])
def test_embedding_sees_the_order_of_inputs_and_outputs(embedders, name, plan, end, tmp_path):
    arrays = random_weights(plan, np.random.default_rng(8))
    last = max((key for key in arrays if key.endswith("weight")), key=lambda key: int(key.partition(".")[0]))
    weight, axis = ("0.weight", 1) if end == "inputs" else (last, 0)
    order = np.random.default_rng(9).permutation(arrays[weight].shape[axis])
    moved = arrays | {weight: arrays[weight].take(order, axis=axis)}
    if end == "outputs":
        bias = last.replace("weight", "bias")
        moved[bias] = arrays[bias][order]
    before = write_chain(plan, arrays, tmp_path / "before.safetensors")
    after = write_chain(plan, moved, tmp_path / "after.safetensors")
    one, other = embedders[name].encoder.embed([before.item, after.item])
    assert np.linalg.norm(one - other) > 1e-3
