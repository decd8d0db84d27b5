"""Who finds whom in a gallery of everything: children their parents, snapshots their run, and strangers nobody."""

from collections.abc import Iterator
from pathlib import Path

import kin_zoo
import numpy as np
import pytest
from kin_encoders import ENCODERS, HELD
from kin_real import all_real, distractors, opened, same_run
from kin_tables import RARELY_LOST, ranks_of, record_recall
from kin_zoo import FINE_TUNED, KinZoo, embedded, every_kind, few_kinds, folder_of, twin_of, vectors_of
from numpy.typing import NDArray

from wembed.encoder import Item
from wembed.evaluate.retrieval.queries import disguised
from wembed.zoo.builder.lineage.change import relative_change

DISTRACTORS = 24  # of one run
FAR = "Pendulum-v1_1"  # went .8 of its weights' size after its best model was kept


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> KinZoo:
    return every_kind(folder_of(tmp_path_factory))


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> KinZoo:
    return few_kinds(folder_of(tmp_path_factory))


def is_fine_tuned(zoo: KinZoo) -> NDArray[np.bool_]:
    """Which children were trained on, and kept most of what they had, [C]."""
    return np.array([row.derivation in FINE_TUNED for row in zoo.children]) & (zoo.changes <= RARELY_LOST)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_few_children_find_their_parents(few, name, record_property):
    parents, queries = vectors_of(name, few)
    found = ranks_of(queries @ parents.T, few.relevant)[is_fine_tuned(few)]
    record_property(f"{name}: Recall@1 of {len(found)} fine-tuned children, few kinds", float((found == 1).mean()))
    if name in HELD:
        assert (found == 1).mean() >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
def test_children_find_their_parents_among_everything(zoo, real_checkpoints, name, record_property):
    assert zoo.strangers >= 20
    parents, queries = vectors_of(name, zoo)
    gallery = np.concatenate([parents, embedded(name, list(all_real(real_checkpoints).values()))])
    scores = queries @ gallery.T  # [C, P + real]
    found, tuned = ranks_of(scores, zoo.relevant), is_fine_tuned(zoo)
    title, derivations = f"{name}, {len(gallery)} networks", [str(row.derivation) for row in zoo.children]
    record_recall(record_property, title, found, zoo.changes, derivations)
    record_recall(record_property, f"{title}, fine-tuned", found[tuned], zoo.changes[tuned], kinds_of(zoo)[tuned])
    for kind, changes in twins_apart(zoo).items():
        record_property(f"{kind} twins of a run, change: least", min(changes))
        record_property(f"{kind} twins of a run, change: median", float(np.median(changes)))
    for number in np.flatnonzero(tuned & (found > 1)):
        record_property(f"{title}, change of what is lost: {told(zoo, number, scores[number])}", zoo.changes[number])
    scores[:, np.flatnonzero(zoo.twins)] = -np.inf
    record_recall(record_property, f"{title} less all twins", ranks_of(scores, zoo.relevant), zoo.changes)
    if name in HELD:
        assert (found[tuned] == 1).mean() >= 0.99


def twins_apart(zoo: KinZoo) -> dict[str, list[float]]:
    """How far the twins of every kind are from their runs, as the change of a child is measured."""
    tensors = {str(row.run): dict(_weights(item)) for row, item in zip(zoo.parents, zoo.items, strict=True)}
    found: dict[str, list[float]] = {}
    for row in zoo.parents:
        if twin_of(row):
            run = str(row.run)
            base = run.partition("-twin-")[0]
            found.setdefault(twin_of(row), []).append(relative_change(tensors[base], tensors[run]))
    return found


def _weights(item: Item) -> Iterator[tuple[str, NDArray[np.generic]]]:
    return ((name, item[0].read(name)) for name in item[1].tensors)


def kinds_of(zoo: KinZoo) -> NDArray[np.str_]:
    """The kind of network of every child, [C]."""
    return np.array([zoo.kinds[place] for place in zoo.relevant])


def told(zoo: KinZoo, number: int, scores: NDArray[np.float64]) -> str:
    """What a child took for its parent."""
    place = int(scores.argmax())
    taken = zoo.parents[place].run if place < len(zoo.parents) else "a real checkpoint"
    return f"{zoo.children[number].id} took {taken}"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ENCODERS)
def test_transfer_learned_networks_find_their_parents(real_checkpoints, name, seed, record_property):
    folder, generator = real_checkpoints / "ani", np.random.default_rng(seed)
    parents = [opened(folder / f"ani-1x_{number}.safetensors") for number in range(4)]
    children = [disguised(opened(folder / f"ani-1ccx_{number}.safetensors"), generator) for number in range(4)]
    scores = embedded(name, children) @ embedded(name, parents).T
    found = ranks_of(scores, np.arange(4))
    record_property(f"{name}: transfer-learned networks that find their parent, of 4", float((found == 1).sum()))
    if name in HELD:
        assert (found == 1).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_earlier_snapshot_finds_its_run_among_networks_of_its_shape(real_checkpoints, name, record_property):
    found = list(snapshot_ranks(real_checkpoints, name))
    assert len(found) == 6
    for run, rank in found:
        record_property(f"{name}: rank of its run for the best model of {run}, of {DISTRACTORS + 1}", float(rank))
    if name in HELD:
        assert {run for run, rank in found if rank > 1} <= {FAR}


def snapshot_ranks(folder: Path, name: str) -> Iterator[tuple[str, int]]:
    generator = np.random.default_rng(kin_zoo.SEED)
    for best, last in same_run(folder):
        query, gallery = disguised(opened(best), generator), [opened(last)]
        gallery += distractors(gallery[0], DISTRACTORS, generator)
        scores = embedded(name, [query]) @ embedded(name, gallery).T
        yield best.parent.name, int(ranks_of(scores, np.zeros(1, dtype=np.intp))[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
def test_two_seeds_of_one_real_network_are_strangers(zoo, real_checkpoints, name, record_property):
    folder = real_checkpoints / "proteinmpnn"
    one, other = embedded(name, [opened(folder / f"{kind}_v_48_002.pt") for kind in ("vanilla", "soluble")])
    vectors, _ = vectors_of(name, zoo)
    independent = np.array([vectors[a] @ vectors[b] for a, b in strangers(zoo)])
    for share in (50, 95, 99):
        record_property(f"{name}: score of strangers of one kind, {share} %", float(np.percentile(independent, share)))
    record_property(f"{name}: score of the two proteinmpnn seeds", float(one @ other))
    for kind in dict.fromkeys(zoo.kinds):
        pairs = [vectors[a] @ vectors[b] for a, b in strangers(zoo) if zoo.kinds[a] == kind]
        record_property(f"{name}: score of strangers, {kind}, 95 %", float(np.percentile(pairs, 95)))
    if name in HELD:
        assert one @ other <= np.percentile(independent, 95)


def strangers(zoo: KinZoo) -> Iterator[tuple[int, int]]:
    """Pairs of one kind that share neither run nor initial weights."""
    for a, first in enumerate(zoo.parents):
        for b, second in enumerate(zoo.parents[:a]):
            if zoo.kinds[a] == zoo.kinds[b] and first.init_id != second.init_id:
                yield a, b
