"""How good matching is on networks that were trained for real: figures, with intervals over pairs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from wembed.checkpoint import in_memory
from wembed.encoder import Item, load_encoder
from wembed.merging.aligned import Aligned, align, unaligned
from wembed.merging.gauge import scale_action
from wembed.merging.matching import with_data
from wembed.merging.matching.node_start import embedding_start
from wembed.merging.matching.search import Matching, matching, refined
from wembed.merging.path import repairable
from wembed.merging.repair import renewed
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import Tensors, acted, as_checkpoint, tensors_of
from wembed.models import (
    CNN,
    MLP,
    Dataset,
    ModelDescription,
    ResNet,
    Scores,
    load_dataset,
    load_module,
    score,
    stored_tensors,
)
from wembed.symmetry import random_action
from wembed.zoo.builder.specs import network_spec

HALVES = (0.5, 0.5)
RESAMPLINGS = 2000

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Middle:
    """Held-out scores half-way between two networks, beside those of the ends: accuracies, and losses above the ends'.

    Args:
        ends: the mean accuracy of the endpoints.
        naive: accuracy of the plain average.
        by_weights: after matching without data.
        with_data: after matching, statistics and repair with training inputs.
        noise: the first endpoint, moved as far as the matched average is, in a random direction.
        barriers: losses above the ends' mean: plain, by weights, with data.
    """

    ends: float
    naive: float
    by_weights: float
    with_data: float
    noise: float
    barriers: tuple[float, float, float]


def scores_of(tensors: Tensors, like, dataset: Dataset) -> Scores:
    return score(load_module(as_checkpoint(tensors, like)), dataset.test_inputs, dataset.test_labels)


def middle_of(first: Item, second: Item, dataset: Dataset) -> Middle:
    (one, spec), (other, _) = first, second

    def calibrated(aligned: Aligned) -> Scores:
        """Batch norms are recalibrated in every average."""
        fresh = with_statistics(aligned.average(HALVES), spec, one, dataset.train_inputs)
        return scores_of(fresh, one, dataset)

    by_weights = align([one, other], spec, np.random.default_rng(0))
    with_data = align([one, other], spec, np.random.default_rng(0), dataset)
    ends = [score(load_module(c), dataset.test_inputs, dataset.test_labels) for c in (one, other)]
    found = [calibrated(unaligned([one, other], spec)), calibrated(by_weights)]
    found.append(scores_of(renewed(with_data, HALVES, with_data.average(HALVES), one, dataset), one, dataset))
    loss = np.mean([end.loss for end in ends])
    return Middle(
        float(np.mean([end.accuracy for end in ends])),
        *(each.accuracy for each in found),
        scores_of(noised(by_weights, one, dataset), one, dataset).accuracy,
        tuple(float(each.loss - loss) for each in found),
    )


def noised(aligned: Aligned, like, dataset: Dataset) -> Tensors:
    generator, moved = np.random.default_rng(0), {}
    for name, values in aligned.networks[0].items():
        noise = generator.normal(size=values.shape)
        length = np.linalg.norm(aligned.networks[1][name] - values) / 2 / (np.linalg.norm(noise) or 1.0)
        moved[name] = values + noise * length
    return with_statistics(moved, aligned.spec, like, dataset.train_inputs)


def interval(of: Callable[[Sequence[Middle]], float], middles: Sequence[Middle]) -> str:
    """A figure over pairs with the interval that resampling them gives 95 times in 100."""
    generator = np.random.default_rng(0)
    draws = [
        of([middles[index] for index in generator.integers(len(middles), size=len(middles))])
        for _ in range(RESAMPLINGS)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{of(middles):.3f} [{low:.3f}, {high:.3f}]"


def removed(number: int) -> Callable[[Sequence[Middle]], float]:
    """The share of the mean naive barrier that is gone: 1 by weights, 2 with data."""
    return lambda middles: float(1 - sum(m.barriers[number] for m in middles) / sum(m.barriers[0] for m in middles))


def told(label: str, middles: Sequence[Middle], record_property) -> None:
    """Print and keep the figures."""
    figures = {
        name: interval(lambda ms, name=name: float(np.mean([getattr(m, name) for m in ms])), middles)
        for name in ("ends", "naive", "noise", "by_weights", "with_data")
    }
    figures["removed by weights"] = interval(removed(1), middles)
    figures["removed with data"] = interval(removed(2), middles)
    for name, figure in figures.items():
        record_property(f"{label}: {name}", figure)
        print(f"{label}, {len(middles)} pairs: {name} {figure}")  # noqa: T201


def short_of_ends(middles: Sequence[Middle], name: str) -> float:
    return float(np.mean([m.ends - getattr(m, name) for m in middles]))


@pytest.mark.parametrize(("width", "least"), [(32, 0.85), (128, 0.90)])
def test_digits_mlps_meet_in_the_middle(trained, digits, record_property, width, least):
    architecture = MLP(hidden=(width, width))
    pairs = [(trained(architecture, 2 * k), trained(architecture, 2 * k + 1)) for k in range(10)]
    middles = [middle_of(*pair, digits) for pair in pairs]
    told(f"mlp 64-{width}-{width}-10", middles, record_property)
    assert removed(1)(middles) > 0.7
    assert removed(2)(middles) > least
    assert short_of_ends(middles, "with_data") < 0.05


@pytest.mark.parametrize(("width", "most"), [(8, 0.15), (16, 0.05), (32, 0.05)])  # eight channels have few ways
def test_digits_cnns_with_batch_norms_meet_in_the_middle(trained, digits, record_property, width, most):
    architecture = CNN(hidden=(width, width), norm="batch")
    pairs = [(trained(architecture, 2 * k), trained(architecture, 2 * k + 1)) for k in range(10)]
    middles = [middle_of(*pair, digits) for pair in pairs]
    told(f"cnn {width}x{width} with batch norm", middles, record_property)
    assert short_of_ends(middles, "with_data") < most


def part_of(name: str) -> Dataset:
    """A part of a large data set."""
    whole = load_dataset(name)
    some = {
        f"{part}_{what}": getattr(whole, f"{part}_{what}")[:count]
        for part, count in (("train", 6000), ("validation", 500), ("test", 2000))
        for what in ("inputs", "labels")
    }
    return replace(whole, **some)


def trained_on(dataset: Dataset, architecture, seed: int, epochs: int) -> Item:
    description = ModelDescription(architecture=architecture, shape=dataset.shape, classes=dataset.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
        optimizer = torch.optim.Adam(module.parameters(), 1e-3)
        for _ in range(epochs):
            for index in torch.randperm(len(dataset.train_labels)).split(128):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(module(dataset.train_inputs[index]), dataset.train_labels[index])
                loss.backward()
                optimizer.step()
    tensors = {name: value.detach().numpy() for name, value in stored_tensors(module.eval()).items()}
    return in_memory(tensors, description.metadata() | {"dataset": dataset.name}), network_spec(description)


@pytest.mark.parametrize(
    ("name", "architecture", "pairs"),
    [("fashion", MLP(hidden=(512, 512)), 3), ("fashion-14", ResNet(widths=(8, 16)), 2)],
    ids=["mlp", "resnet"],
)
def test_fashion_networks_come_nearer(record_property, name, architecture, pairs):
    dataset = part_of(name)
    items = [trained_on(dataset, architecture, seed, 5) for seed in range(2 * pairs)]
    middles = [middle_of(*items[2 * k : 2 * k + 2], dataset) for k in range(pairs)]
    told(f"{name} {architecture.label}", middles, record_property)
    assert np.mean([m.with_data for m in middles]) > np.mean([m.naive for m in middles])


def test_what_each_part_of_the_data_aided_merge_does(trained, digits, record_property):
    """Shares of the naive barrier that are gone, part by part; swaps and repair do much of it without any matching."""
    pairs = [(trained(MLP(hidden=(32, 32)), 2 * k), trained(MLP(hidden=(32, 32)), 2 * k + 1)) for k in range(10)]
    rows = np.array([list(parts_of(*pair, digits).values()) for pair in pairs])  # [P, methods], losses above the ends'
    names = list(parts_of(*pairs[0], digits))
    shares = 1 - np.maximum(rows, 0).sum(0) / np.maximum(rows[:, :1], 0).sum(0)
    for name, share in zip(names, shares, strict=True):
        record_property(f"mlp 64-32-32-10, barrier removed: {name}", round(float(share), 3))
        print(f"mlp 64-32-32-10, {len(pairs)} pairs, barrier removed: {name} {share:.3f}")  # noqa: T201
    found = dict(zip(names, shares, strict=True))
    assert found["repair"] < found["swaps and repair"] < found["matching, swaps and repair"]
    assert found["repair"] < found["matching by weights"] < found["matching by weights and repair"]


def parts_of(first: Item, second: Item, dataset: Dataset) -> dict[str, float]:
    """Losses half-way above the ends' mean, by what was done."""
    (one, spec), (other, _) = first, second
    naive = unaligned([one, other], spec)
    trial = with_data.Trial.on(dataset, spec, one)
    swaps = with_data._swaps(*naive.networks, trial, np.random.default_rng(0), enough=0.0)
    swapped = replace(naive, networks=(naive.networks[0], acted(swaps, spec, naive.networks[1])))
    by_weights = align([one, other], spec, np.random.default_rng(0))
    shipped = align([one, other], spec, np.random.default_rng(0), dataset)
    loss = np.mean([score(load_module(c), dataset.test_inputs, dataset.test_labels).loss for c in (one, other)])

    def plain(aligned: Aligned) -> float:
        fresh = with_statistics(aligned.average(HALVES), spec, one, dataset.train_inputs)
        return scores_of(fresh, one, dataset).loss - loss

    def repaired(aligned: Aligned) -> float:
        fresh = renewed(repairable(aligned), HALVES, aligned.average(HALVES), one, dataset)
        return scores_of(fresh, one, dataset).loss - loss

    return {
        "nothing": plain(naive),
        "repair": repaired(naive),
        "swaps and repair": repaired(swapped),
        "matching by weights": plain(by_weights),
        "matching by weights and repair": repaired(by_weights),
        "matching, swaps and repair": repaired(shipped),
    }


@pytest.mark.parametrize(
    "architecture",
    [MLP(hidden=(32, 32)), MLP(hidden=(96,), activation="gelu"), CNN(hidden=(8, 16), norm="batch")],
    ids=["mlp", "gelu", "cnn"],
)
def test_starts_from_node_embeddings_are_as_near(trained, record_property, architecture):
    """All of `align`, as `--align embedding` runs it, with the encoder's own time."""
    encoder, rows = load_encoder("gnn"), []
    for k in range(15):
        (one, spec), (other, _) = trained(architecture, 2 * k), trained(architecture, 2 * k + 1)
        for seen_by in (None, encoder):
            began = time.process_time()
            found = align([one, other], spec, np.random.default_rng(0), encoder=seen_by)
            seconds = time.process_time() - began
            rows.append((found.cost_after / found.cost_before, found.iterations, seconds))
    by_weights, by_embedding = np.array(rows).reshape(15, 2, 3).mean(0)
    for name, (cost, count, seconds) in (("weights", by_weights), ("embedding", by_embedding)):
        figure = f"cost {cost:.4f} of the one before, {count:.1f} assignments, {seconds:.3f} CPU seconds"
        record_property(f"{architecture.label}, 15 pairs, --align {name}", figure)
        print(f"{architecture.label}, 15 pairs, --align {name}: {figure}")  # noqa: T201
    assert by_embedding[0] <= by_weights[0] * 1.005


def test_one_descent_from_node_embeddings_takes_fewer_assignments_than_one_from_random(trained, record_property):
    architectures = [MLP(hidden=(32, 32)), MLP(hidden=(24, 24), activation="tanh"), CNN(hidden=(8, 8), norm="batch")]
    encoder, rows = load_encoder("gnn"), []
    for architecture in architectures:
        for k in range(10):
            (one, spec), (other, _) = trained(architecture, 2 * k), trained(architecture, 2 * k + 1)
            first, second = (acted(scale_action(c, spec), spec, tensors_of(c, spec)) for c in (one, other))
            embedded = refined(
                first, second, spec, np.random.default_rng(0), embedding_start((one, spec), (other, spec), encoder)
            )
            generator = np.random.default_rng(1)
            random = [refined(first, second, spec, generator, random_action(spec, generator)) for _ in range(8)]
            rows.append((embedded, random, matching(first, second, spec, np.random.default_rng(0))))
    share, count = (np.array([row_of(row) for row in rows]).mean(0).round(4) for row_of in (_costs, _counts))
    for name, own, number in zip(("embedding", "random", "all starts"), share, count, strict=True):
        record_property(name, f"cost {own} of the one before, {number} assignments")
        print(f"30 pairs, start {name}: cost {own} of the one before, {number} assignments")  # noqa: T201
    assert share[0] < share[1] * 1.005
    assert count[0] < count[1]


def _costs(row: tuple[Matching, list[Matching], Matching]) -> list[float]:
    embedded, random, full = row
    before = embedded.cost_before
    return [
        embedded.cost_after / before,
        float(np.mean([each.cost_after for each in random])) / before,
        full.cost_after / before,
    ]


def _counts(row: tuple[Matching, list[Matching], Matching]) -> list[float]:
    embedded, random, full = row
    return [embedded.iterations, float(np.mean([each.iterations for each in random])), full.iterations]
