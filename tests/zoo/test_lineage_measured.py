"""What duplicates and lineage find in a zoo of known families, and among real checkpoints."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from families_zoo import families, family_of, folder_of, runs_of, without_parents

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import write_safetensors
from wembed.symmetry import apply_action, random_action, spec_metadata
from wembed.symmetry.action.permuted_copy import encode
from wembed.zoo import AddOptions, add, open_items
from wembed.zoo.duplicates import find_duplicates, zoo_vectors
from wembed.zoo.lineage import Descent, find_lineage
from wembed.zoo.lineage.nearest import compare
from wembed.zoo.lineage.sketch import sketch

pytestmark = pytest.mark.slow

FINE_TUNED = ("data", "classes", "continued")
ASKED = (*FINE_TUNED, "pruned", "int8", "bf16", "permuted")
COPIES = 200


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    return families(folder_of(tmp_path_factory))


@pytest.fixture(scope="module")
def rows(zoo) -> list[CatalogRow]:
    return zoo.rows()


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("embeddings"))


def lineage_of(zoo: Zoo, rows: Sequence[CatalogRow], store: str) -> list[Descent]:
    """What is found by the weights alone, with nothing of what the catalog knows."""
    vectors = zoo_vectors(zoo, "fingerprint", store).by_id
    return find_lineage(zoo, without_parents(rows), vectors, np.random.default_rng(0)).descents


def next_of_kin(own: Descent) -> str | None:
    found = own.parent or own.kin
    return found.id if found else None


def test_parents_are_found_among_twins_and_strangers(zoo, rows, store, record_property):
    gallery = runs_of(rows)
    ids = {row.id for row in gallery}
    shares = {}
    for kind in sorted({row.derivation for row in rows if row.derivation}):
        children = [row for row in rows if row.derivation == kind and row.parent in ids]
        found = {own.row.id: own for own in lineage_of(zoo, [*gallery, *children], store)}
        shares[kind] = np.mean([next_of_kin(found[row.id]) in (row.parent, row.other_parent) for row in children])
        named = [found[row.id].parent for row in children]
        record_property(f"lineage {kind}: parent or next of kin", float(shares[kind]))
        record_property(f"lineage {kind}: named", float(np.mean([parent is not None for parent in named])))
    _baselines(zoo, rows, gallery, store, record_property)
    assert np.mean([shares[kind] for kind in ASKED]) >= 0.95
    assert min(shares[kind] for kind in ASKED) >= 0.85


def _baselines(zoo: Zoo, rows: Sequence[CatalogRow], gallery: Sequence[CatalogRow], store: str, record) -> None:
    """The share of children whose nearest in the gallery is the parent: by raw weights, the fingerprint and `stats`."""
    ids = [row.id for row in gallery]
    children = [row for row in rows if row.parent in ids]
    sketches = [[sketch(checkpoint) for checkpoint, _ in open_items(zoo, group)] for group in (children, gallery)]
    scores = {"raw cosine": np.nan_to_num(compare(*sketches).cosine, nan=-1.0)}
    for encoder in ("fingerprint", "stats"):
        vectors = zoo_vectors(zoo, encoder, store).by_id
        left, right = (np.stack([vectors[row.id] for row in group]) for group in (children, gallery))
        scores[encoder] = left @ right.T
    for name, values in scores.items():
        right_ones = [ids[place] == row.parent for place, row in zip(values.argmax(1), children, strict=True)]
        for kind in sorted({str(row.derivation) for row in children}):
            own = [is_right for row, is_right in zip(children, right_ones, strict=True) if row.derivation == kind]
            record(f"{name} {kind}: parent is nearest", float(np.mean(own)))


def test_the_whole_zoo_is_told_apart_by_weights_alone(zoo, rows, store, record_property):
    start = time.process_time()
    found = lineage_of(zoo, rows, store)
    record_property(f"lineage of {len(rows)}: CPU seconds", time.process_time() - start)
    by_id = {row.id: row for row in rows}
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for own in found:
        row = by_id[own.row.id]
        results[row.derivation or "run"][_result(row, by_id[own.parent.id] if own.parent else None)] += 1
        results[row.derivation or "run"]["kin"] += next_of_kin(own) in (row.parent, row.other_parent)
    for kind, counts in results.items():
        total = sum(counts[result] for result in ("right", "wrong", "none"))
        record_property(f"whole zoo {kind}: recall", counts["right"] / total)
        record_property(f"whole zoo {kind}: parent or next of kin", counts["kin"] / total)
        record_property(f"whole zoo {kind}: precision", counts["right"] / max(counts["right"] + counts["wrong"], 1))
    right, wrong = (sum(counts[result] for counts in results.values()) for result in ("right", "wrong"))
    record_property("whole zoo: precision", right / (right + wrong))
    assert right / (right + wrong) >= 0.9


def test_no_parent_is_named_across_families(zoo, rows, store):
    by_id = {row.id: row for row in rows}
    found = [own for own in lineage_of(zoo, rows, store) if own.parent]
    strange = [own for own in found if family_of(by_id[own.row.id]) != family_of(by_id[own.parent.id])]
    assert strange == []


def _result(row: CatalogRow, parent: CatalogRow | None) -> str:
    if parent is None:
        return "none"
    is_snapshot = parent.run == row.run and (parent.step or 0) < (row.step or 0)
    return "right" if parent.id in (row.parent, row.other_parent) or is_snapshot else "wrong"


def test_copies_are_found_and_nothing_else(zoo, rows, store, tmp_path, record_property):
    generator = np.random.default_rng(0)
    originals = [row for row in rows if row.derivation not in ("bf16", "permuted")]
    chosen = [originals[number] for number in generator.permutation(len(originals))[:COPIES]]
    for row in chosen:
        _write_copy(zoo, row, tmp_path / "copies" / f"copy-{row.id}.safetensors", generator)
    other = Zoo.create(tmp_path / "zoo")
    add(other, [zoo.root / "checkpoints", tmp_path / "copies"], AddOptions())
    everything = other.rows()
    vectors = zoo_vectors(other, "fingerprint", store).by_id
    start = time.process_time()
    found = find_duplicates(other, everything, vectors)
    record_property(f"duplicates among {len(everything)}: CPU seconds", time.process_time() - start)
    groups = {frozenset(entry.row.id for entry in group) for group in found.groups}
    expected = _groups_of_equals(rows, chosen)
    missed = [group for group in expected if not any(group <= other for other in groups)]
    more = {name for group in groups for name in group - max(expected, key=lambda other: len(group & other))}
    record_property("duplicates: equal by the way they were made", sum(len(group) - 1 for group in expected))
    record_property("duplicates: in a group of their own", len(missed))
    record_property("duplicates: pruned where nothing reads, and so the same function", len(more))
    # Of what was pruned until a channel is dead, or next to nothing is left, others are the same function too.
    assert all(any("pruned" in name for name in group) for group in missed)
    assert all("pruned" in name for name in more)
    listed = {entry.row.id for group in found.groups for entry in group}
    made = {row.id for row in rows if row.derivation in ("bf16", "permuted")} | {f"copy-{row.id}" for row in chosen}
    assert made <= listed


def _groups_of_equals(rows: Sequence[CatalogRow], copied: Sequence[CatalogRow]) -> set[frozenset[str]]:
    """What is equal by the way it was made."""
    equal: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.derivation in ("bf16", "permuted"):
            equal[str(row.parent)] |= {row.id, str(row.parent)}
    for row in copied:
        equal[row.id] |= {row.id, f"copy-{row.id}"}
    return {frozenset(group) for group in equal.values()}


def _write_copy(zoo: Zoo, row: CatalogRow, out: Path, generator: np.random.Generator) -> None:
    """The same network, reordered and rescaled, in bf16."""
    ((checkpoint, spec),) = open_items(zoo, [row])
    action = random_action(spec, generator, rescale=True)
    moved = dict(apply_action(action, spec, checkpoint.read))
    values = {name: moved.get(name, checkpoint.read(name)) for name in checkpoint.tensors}
    out.parent.mkdir(exist_ok=True)
    tensors = {
        name: ("BF16", encode(own, "BF16")) for name, own in values.items() if checkpoint.tensors[name].is_floating
    }
    write_safetensors(out, tensors, checkpoint.metadata | spec_metadata(spec))


def test_real_children_find_their_parents(real_checkpoints, tmp_path):
    zoo = Zoo.create(tmp_path / "zoo")
    add(zoo, [real_checkpoints / name for name in ("ani", "rl", "proteinmpnn", "mtcnn", "silero")], AddOptions())
    found = {own.row.id: own for own in lineage_of(zoo, zoo.rows(), str(tmp_path / "embeddings"))}
    pairs = {(own.row.id, next_of_kin(own)) for own in found.values() if next_of_kin(own)}
    for number in range(4):
        ends = f"ani-1x_{number}", f"ani-1ccx_{number}"
        assert ends in pairs or ends[::-1] in pairs
    assert all(set(pair) & {"soluble_v_48_002", "vanilla_v_48_002"} == set() for pair in pairs)


def test_a_best_model_is_kin_to_its_own_run(real_checkpoints, tmp_path, record_property):
    zoo = Zoo.create(tmp_path / "zoo")
    add(zoo, [real_checkpoints / "rl"], AddOptions())
    by_id = {row.id: row for row in zoo.rows()}
    found = lineage_of(zoo, zoo.rows(), str(tmp_path / "embeddings"))
    named = [own for own in found if next_of_kin(own)]
    assert all(Path(own.row.path).parent == Path(by_id[str(next_of_kin(own))].path).parent for own in named)
    record_property("RL: runs whose best model is found, of 6", len(named))
    assert len(named) >= 4
