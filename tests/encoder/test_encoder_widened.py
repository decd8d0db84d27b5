"""How far a vector moves: not at all for a wider copy of one function, and less for a child than for a stranger.

And how many children find their parent by the size of their change, beside what looking at all pairs finds, and costs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from every_architecture import described
from kin_alignment import aligned_cosine, in_common_scales
from kin_encoders import ENCODERS, HELD, INVARIANT, encoder_of
from kin_tables import RARELY_LOST, bins_of, ranks_of, record_recall
from kin_widened import widened
from kin_zoo import FINE_TUNED, KINDS, SEED, KinZoo, every_kind, folder_of, twin_of, vectors_of
from numpy.typing import NDArray
from pydantic import TypeAdapter

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder import Item
from wembed.evaluate.embeddings import RawWeights
from wembed.models import Architecture, ModelDescription, load_module
from wembed.models.modules import initial_state
from wembed.zoo.builder.specs import network_spec

ARCHITECTURES: dict[str, Architecture] = {
    kind: TypeAdapter(Architecture).validate_python(settings) for kind, settings in KINDS.items()
}
QUICK = ("mlp", "cnn, batch norm", "mlp, layer norm")  # to trace
EVERY = [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in KINDS]
ALIGNED = ("mlp", "mlp, one layer", "cnn", "cnn, batch norm")  # whose scales matching knows all of
QUERIES = 6  # of every kind and bin of changes that are aligned
NOT_ALIGNED = ("head",)  # of other shapes than their parents


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> KinZoo:
    return every_kind(folder_of(tmp_path_factory))


def random_network(architecture: Architecture, seed: int) -> Item:
    """A network with biases and gains that are not what they begin with."""
    description, generator = described(architecture), np.random.default_rng(seed)
    state = initial_state(description, seed)
    noised = {name: values + generator.normal(0.0, 0.1, values.shape) for name, values in state.items()}
    positive = {name: np.abs(noised[name]) for name in noised if name.endswith("running_var")}
    tensors = {name: values.astype(np.float32) for name, values in (noised | positive).items()}
    return in_memory(tensors, description.metadata()), network_spec(description)


def outputs_of(checkpoint: Checkpoint, description: ModelDescription) -> torch.Tensor:
    """What a network makes of a few inputs, the same for every width."""
    generator = torch.Generator().manual_seed(0)
    if "text" in description.architecture.takes:
        inputs = torch.randint(description.classes - 1, (8, *description.shape), generator=generator)
    else:
        inputs = torch.randn(8, int(np.prod(description.shape)), generator=generator)
    with torch.inference_mode():
        return load_module(checkpoint)(inputs)


def moved(name: str, one: Item, other: Item) -> float:
    """How far an embedding moves; it has length 1."""
    first, second = encoder_of(name).embed([one]), encoder_of(name).embed([other])
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("kind", EVERY)
def test_a_wider_copy_computes_the_same(kind):
    architecture = ARCHITECTURES[kind]
    checkpoint, spec = random_network(architecture, 0)
    wide, wide_spec = widened(checkpoint, spec, 2)
    assert {name: info.shape for name, info in wide.tensors.items()} == {
        name: tuple(map(wide_spec.size_of, axes)) for name, axes in wide_spec.tensors.items()
    }
    before, after = (outputs_of(network, described(architecture)) for network in (checkpoint, wide))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", INVARIANT)
@pytest.mark.parametrize("kind", EVERY)
def test_a_wider_copy_has_the_same_embedding(kind, name, record_property):
    checkpoint, spec = random_network(ARCHITECTURES[kind], 0)
    change = moved(name, (checkpoint, spec), widened(checkpoint, spec, 2))
    record_property(f"{name}: {kind} with channels and heads duplicated twice, random weights", change)
    assert change < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_wider_copy_is_nearer_than_any_relative(zoo, kind, name, record_property):
    parents = [place for place, own in enumerate(zoo.kinds) if own == kind]
    bases = [place for place in parents if not twin_of(zoo.parents[place])][:2]
    copies = {times: max(moved(name, zoo.items[base], widened(*zoo.items[base], times)) for base in bases)
              for times in (2, 4, 8)}  # fmt: skip
    for times, change in copies.items():
        record_property(f"{name}, {kind}: moved by channels duplicated {times} times", change)
    for relation, changes in distances(zoo, name, bases, parents).items():
        if changes:
            record_property(f"{name}, {kind}: moved by a {relation}, mean", float(np.mean(changes)))
            record_property(f"{name}, {kind}: moved by a {relation}, least", float(np.min(changes)))
    if name in INVARIANT:
        assert max(copies.values()) < 1e-4


def distances(zoo: KinZoo, name: str, bases: Sequence[int], parents: Sequence[int]) -> dict[str, list[float]]:
    """How far from some runs their fine-tuned children, their twins and all others of their kind are."""
    vectors, queries = vectors_of(name, zoo)
    found: dict[str, list[float]] = {"fine-tuned child": [], "twin": [], "stranger": []}
    for base in bases:
        changes = np.linalg.norm(queries - vectors[base], axis=1)
        tuned = [row.derivation in FINE_TUNED for row in zoo.children]
        found["fine-tuned child"] += changes[tuned & (zoo.relevant == base)].tolist()
        for place in parents:
            if place != base:
                is_twin = zoo.parents[place].init_id == zoo.parents[base].init_id
                change = float(np.linalg.norm(vectors[place] - vectors[base]))
                found["twin" if is_twin else "stranger"].append(change)
    return found


@dataclass(frozen=True)
class Way:
    """A way to score candidates.

    Args:
        prepare: a network in, what is compared out: once for each.
        score: a query and candidates in, scores out.
    """

    prepare: Callable[[Item], object]
    score: Callable[[object, Sequence[object]], NDArray[np.float64]]


def by_vector(embed: Callable[[Sequence[Item]], NDArray[np.floating]]) -> Way:
    return Way(lambda item: embed([item])[0], lambda query, others: np.stack(others) @ query)


def by_alignment(item: Item) -> Way:
    spec, generator = item[1], np.random.default_rng(0)

    def score(query: object, others: Sequence[object]) -> NDArray[np.float64]:
        return np.array([aligned_cosine(query, other, spec, generator) for other in others])

    return Way(in_common_scales, score)


def ways(item: Item) -> dict[str, Way]:
    """All ways to compare networks of the structure of one of them."""
    encoders = {name: by_vector(encoder_of(name).embed) for name in ENCODERS}
    return encoders | {"raw cosine": by_vector(RawWeights(item).embed), "alignment and cosine": by_alignment(item)}


@dataclass(frozen=True)
class Measured:
    """What a way found, and in how many seconds.

    Args:
        ranks: of the parents, [Q].
        prepared: for each network.
        scored: for each pair.
    """

    ranks: NDArray[np.intp]
    prepared: float
    scored: float


def measure(way: Way, queries: Sequence[Item], gallery: Sequence[Item], relevant: NDArray[np.intp]) -> Measured:
    begun = time.perf_counter()
    candidates = [way.prepare(item) for item in gallery]
    prepared = [way.prepare(item) for item in queries]
    half = time.perf_counter()
    scores = np.stack([way.score(query, candidates) for query in prepared])
    end = time.perf_counter()
    return Measured(
        ranks_of(scores, relevant), (half - begun) / (len(gallery) + len(queries)),
        (end - half) / (len(gallery) * len(queries)),
    )  # fmt: skip


def chosen(zoo: KinZoo, kind: str) -> list[int]:
    """Some children of a kind for every bin of changes, however they were derived."""
    fits = [number for number in range(len(zoo.children)) if _fits(zoo, number, kind)]
    mixed = np.random.default_rng(SEED).permutation(fits)
    return [int(number) for _, mask in bins_of(zoo.changes[mixed]) for number in mixed[mask][:QUERIES]]


def _fits(zoo: KinZoo, number: int, kind: str) -> bool:
    return zoo.kinds[zoo.relevant[number]] == kind and zoo.children[number].derivation not in NOT_ALIGNED


@pytest.mark.slow
def test_recall_by_change_beside_looking_at_all_pairs(zoo, record_property):
    found: dict[str, list[Measured]] = {}
    changes: list[float] = []
    labels: list[str] = []
    for kind in ALIGNED:
        numbers, parents = chosen(zoo, kind), [place for place, own in enumerate(zoo.kinds) if own == kind]
        relevant = np.array([parents.index(zoo.relevant[number]) for number in numbers])
        gallery, queries = [zoo.items[place] for place in parents], [zoo.queries[number] for number in numbers]
        for name, way in ways(gallery[0]).items():
            found.setdefault(name, []).append(measure(way, queries, gallery, relevant))
        changes += zoo.changes[numbers].tolist()
        labels += [kind] * len(numbers)
    for name, parts in found.items():
        together = np.concatenate([part.ranks for part in parts])
        record_recall(record_property, f"{name}, one kind, with twins", together, np.array(changes), labels)
        for kind, part in zip(ALIGNED, parts, strict=True):
            record_property(f"{name}, {kind}: seconds to prepare a network", part.prepared)
            record_property(f"{name}, {kind}: seconds for a candidate", part.scored)
    near = np.array(changes) <= RARELY_LOST
    recalls = {
        name: (np.concatenate([part.ranks for part in parts])[near] == 1).mean() for name, parts in found.items()
    }
    for name in HELD:
        assert recalls[name] >= recalls["alignment and cosine"] - 0.05
