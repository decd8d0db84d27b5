"""Verdicts on trained zoos: no twin is derived, nearly every child is; beside what plain similarities can tell."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from wembed.catalog import Zoo
from wembed.checkpoint import in_memory, open_checkpoint
from wembed.encoder import Stats
from wembed.kinship import MOST_STRANGERS, Pair, choose_strangers, compare
from wembed.symmetry import find_spec, permute
from wembed.zoo import open_items
from wembed.zoo.builder import BuildManifest, BuildOptions, build

ARCHITECTURES = (
    {"kind": "mlp", "hidden": [32, 32]},
    {"kind": "mlp", "hidden": [96], "activation": "gelu"},
    {"kind": "cnn", "hidden": [8, 16]},
    {"kind": "cnn", "hidden": [8, 8], "norm": "batch"},
)
KINDS = ("data", "classes", "head", "continued", "pruned", "int8", "bf16", "noise", "distilled", "permuted", "merged")
STEPS, RUNS, PARENTS = 300, 50, 8
FAR = 0.5  # of the parent's size: a change beyond it is not asked to be found in a network that was shuffled, too
HYPERPARAMETERS = {
    "learning_rate": [3e-3, 3e-3], "weight_decay": [1e-3, 1e-3], "init_scale": [1.0, 1.0],
    "train_fraction": [0.5, 0.5], "label_noise": [0.05, 0.05],
}  # fmt: skip


def built(folder, runs, **more):
    zoo = Zoo.create(folder)
    manifest = BuildManifest.model_validate(
        {
            "name": "kinship", "seed": 80_801, "training": {"batch_size": 32, "snapshots": [STEPS]},
            "hyperparameters": HYPERPARAMETERS,
            "groups": [{"dataset": "digits", "architecture": kind, "runs": runs} for kind in ARCHITECTURES],
            **more,
        }
    )  # fmt: skip
    build(zoo, BuildOptions(manifest, manifest.seed))
    return zoo


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A zoo of runs, each with a twin that differs in its initial weights alone, and the pairs."""
    zoo = built(tmp_path_factory.mktemp("twins"), RUNS, twins={"init": 1})
    rows = {row.run: row for row in zoo.rows()}
    known = [row for row in rows.values() if "twin_of" in row.hyperparameters]
    return zoo, [(rows[str(row.hyperparameters["twin_of"])], row) for row in known]


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    """A zoo of runs with children of every kind, and the pairs of a child and its parent."""
    wanted = {**dict.fromkeys(KINDS, 1), "change": [1e-3, 1.0], "steps": STEPS // 2}
    zoo = built(tmp_path_factory.mktemp("children"), PARENTS, children=wanted)
    rows = {row.id: row for row in zoo.rows()}
    return zoo, [(rows[row.parent], row) for row in rows.values() if row.parent]


def verdict(zoo, pair, items=None):
    first, second = items or open_items(zoo, pair)
    known = Pair(pair[0].structure, frozenset(row.id for row in pair))
    chosen = choose_strangers(zoo.rows(), known, MOST_STRANGERS, np.random.default_rng(0))
    strangers, others = (open_items(zoo, rows) for rows in chosen)
    return compare(first, second, strangers, np.random.default_rng(1), others)


def raw_cosine(first, second):
    values = [np.concatenate([item[0].read(name).ravel() for name in first[0].tensors]) for item in (first, second)]
    return float(values[0] @ values[1] / np.linalg.norm(values[0]) / np.linalg.norm(values[1]))


def stats_cosine(first, second):
    one, other = Stats().embed([first, second])
    return float(one @ other)


@pytest.mark.slow
def test_no_twin_is_derived(twins, record_property):
    zoo, pairs = twins
    found = [verdict(zoo, pair) for pair in pairs]
    record_property("200 pairs of init twins: called derived", float(sum(one.verdict != "unrelated" for one in found)))
    assert len(found) == 200
    assert {one.verdict for one in found} == {"unrelated"}
    assert all(one.p_value >= 1e-3 for one in found)


@pytest.mark.slow
def test_children_are_called_derived(children, record_property):
    zoo, pairs = children
    by_kind = defaultdict(list)
    for pair in pairs:
        by_kind[pair[1].derivation].append(verdict(zoo, pair))
    for kind, found in by_kind.items():
        told = [one.verdict != "unrelated" for one in found]
        record_property(f"children called derived or same: {kind}", np.mean(told))
        assert all(told)
    assert {one.verdict for one in by_kind["permuted"]} == {"same"}
    assert {one.verdict for one in by_kind["bf16"]} == {"same"}


@pytest.mark.slow
def test_shuffled_children_are_called_derived(children, tmp_path, record_property):
    zoo, pairs = children
    near, by_size = [], defaultdict(list)
    for pair in (pair for pair in pairs if pair[1].derivation != "permuted" and pair[1].structure == pair[0].structure):
        parent, (checkpoint, spec) = open_items(zoo, pair)
        path = tmp_path / "shuffled.safetensors"
        permute(checkpoint, spec, path, np.random.default_rng(2), rescale=spec.has_scales)
        shuffled = open_checkpoint(path)
        found = verdict(zoo, pair, (parent, (shuffled, spec))).verdict != "unrelated"
        by_size[_bin(pair[1].change)].append(found)
        near += [found] if pair[1].change <= FAR else []
    for size, found in by_size.items():
        record_property(f"shuffled children called derived or same: change {size}", np.mean(found))
    assert np.mean(near) >= 0.97


def trained(images, labels, seed):
    """A network of 64, 32 and 10 neurons."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.Adam(module.parameters(), 5e-3)
    for _ in range(600):
        batch = torch.randint(len(images), (64,), generator=generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(images[batch]), labels[batch]).backward()
        optimizer.step()
    checkpoint = in_memory({name: values.numpy() for name, values in module.state_dict().items()}, {})
    return checkpoint, find_spec(checkpoint)


@pytest.mark.slow
def test_who_learned_one_thing_is_not_derived_as_all_others_learned_something_else(record_property):
    data = load_digits()
    images, labels = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    others = []
    for seed in range(20):
        random = torch.Generator().manual_seed(seed)
        pixels, classes = torch.randperm(64, generator=random), torch.randperm(10, generator=random)
        others.append(trained(images[:, pixels], classes[labels], 100 + seed))
    members = [trained(images, labels, seed) for seed in range(8)]
    pairs = list(zip(members[::2], members[1::2], strict=True))
    wrong = [compare(*pair, others, np.random.default_rng(0)).verdict == "derived" for pair in pairs]
    record_property(
        "twins called derived beside networks of another task, which is why these do not count", float(sum(wrong))
    )
    found = [compare(*pair, (), np.random.default_rng(0), others) for pair in pairs]
    assert {one.verdict for one in found} == {"unrelated"}


@pytest.mark.slow
@pytest.mark.parametrize("score", [raw_cosine, stats_cosine])
def test_plain_similarities_are_measured_beside(twins, children, score, record_property, tmp_path):
    """The share of children, shuffled, that are more alike to their parent than any twin to its base."""
    limit = max(score(*open_items(twins[0], pair)) for pair in twins[1])
    zoo, pairs = children
    found = []
    for pair in (pair for pair in pairs if pair[1].structure == pair[0].structure):
        parent, (checkpoint, spec) = open_items(zoo, pair)
        permute(checkpoint, spec, tmp_path / "shuffled.safetensors", np.random.default_rng(2), rescale=spec.has_scales)
        found.append(score(parent, (open_checkpoint(tmp_path / "shuffled.safetensors"), spec)) > limit)
    record_property(f"shuffled children above all twins by {score.__name__}", np.mean(found))


def _bin(change):
    return next(text for limit, text in ((0.1, "to .1"), (FAR, ".1 to .5"), (np.inf, "beyond .5")) if change <= limit)
