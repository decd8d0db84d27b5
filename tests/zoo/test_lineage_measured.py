"""What duplicates and lineage find in a zoo of known families, and among real checkpoints."""

import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from families_zoo import families, family_of, folder_of, runs_of, without_facts, without_parents

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.symmetry import apply_action, random_action, spec_metadata
from wembed.zoo import AddOptions, add, open_items
from wembed.zoo.duplicates import find_duplicates, zoo_vectors
from wembed.zoo.lineage import Descent, find_lineage
from wembed.zoo.lineage.nearest import compare
from wembed.zoo.lineage.sketch import sketch

pytestmark = pytest.mark.slow

ASKED = ("data", "classes", "head", "continued", "pruned", "int8", "bf16", "permuted")
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
    """What is found, with nothing of what the catalog knows but what the rows say."""
    vectors = zoo_vectors(zoo, "fingerprint", store).by_id
    return find_lineage(zoo, rows, vectors, np.random.default_rng(0)).descents


def next_of_kin(own: Descent) -> str | None:
    found = own.parent or own.kin
    return found.id if found else None


def test_parents_are_found_among_twins_and_strangers(zoo, rows, store, record_property):
    gallery = runs_of(rows)
    ids = {row.id for row in gallery}
    shares, wrong = {}, 0
    for kind in sorted({row.derivation for row in rows if row.derivation}):
        children = [row for row in rows if row.derivation == kind and row.parent in ids]
        found = {own.row.id: own for own in lineage_of(zoo, without_facts([*gallery, *children]), store)}
        shares[kind] = np.mean([next_of_kin(found[row.id]) in (row.parent, row.other_parent) for row in children])
        named = [(found[row.id].parent, row) for row in children if found[row.id].parent]
        right = sum(parent.id in (row.parent, row.other_parent) for parent, row in named if parent)
        record_property(f"lineage {kind}: parent or next of kin", float(shares[kind]))
        wrong += len(named) - right
        record_property(f"lineage {kind}: named and right", right / len(children))
        record_property(f"lineage {kind}: named and wrong", (len(named) - right) / len(children))
    _baselines(zoo, rows, gallery, store, record_property)
    assert np.mean([shares[kind] for kind in ASKED]) >= 0.95
    assert min(shares[kind] for kind in ASKED) >= 0.9
    assert wrong <= 3


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
    found = lineage_of(zoo, without_facts(rows), store)
    record_property(f"lineage of {len(rows)}: CPU seconds", time.process_time() - start)
    whole = _recorded(found, rows, "whole zoo", record_property)
    _record_calibration(found, rows, record_property)
    assert whole["right"] / (whole["right"] + whole["wrong"]) >= 0.9


def test_steps_and_runs_tell_more(zoo, rows, store, record_property):
    whole = _recorded(lineage_of(zoo, without_parents(rows), store), rows, "with steps and runs", record_property)
    assert whole["right"] / (whole["right"] + whole["wrong"]) >= 0.9


def _recorded(found: Sequence[Descent], rows: Sequence[CatalogRow], title: str, record) -> Counter[str]:
    """What was found by kind of derivation, by architecture and by how far a child moved; and of all."""
    by_id = {row.id: row for row in rows}
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for own in found:
        row = by_id[own.row.id]
        is_kin = next_of_kin(own) in (row.parent, row.other_parent)
        groups = (row.derivation, row.architecture, _how_far(row)) if row.derivation else ("run",)
        for group in ("all", *groups):
            results[str(group)] += Counter({_result(own, by_id): 1, "kin": is_kin, "total": 1})
    for group, counts in results.items():
        named = counts["right"] + counts["wrong"]
        record(f"{title} {group}: parent or next of kin", counts["kin"] / counts["total"])
        record(f"{title} {group}: named and right", counts["right"] / counts["total"])
        record(f"{title} {group}: right of the named", counts["right"] / max(named, 1))
    return results["all"]


def _how_far(row: CatalogRow) -> str:
    change = row.change or 0.0
    return next((f"change below {bound}" for bound in (0.01, 0.1, 0.3) if change < bound), "change beyond")


def _record_calibration(found: Sequence[Descent], rows: Sequence[CatalogRow], record) -> None:
    by_id = {row.id: row for row in rows}
    for low, high in itertools.pairwise((0.6, 0.8, 0.9, 0.95, 1.0)):
        own = [one for one in found if one.parent and low <= (one.probability or 0.0) < high]
        right = [_result(one, by_id) == "right" for one in own]
        record(f"probability {low} to {high}: of {len(own)}, right", float(np.mean(right)) if right else 0.0)


def test_no_parent_is_named_across_families(zoo, rows, store):
    by_id = {row.id: row for row in rows}
    found = [own for own in lineage_of(zoo, without_facts(rows), store) if own.parent]
    strange = [own for own in found if family_of(by_id[own.row.id]) != family_of(by_id[own.parent.id])]
    assert strange == []


def _result(own: Descent, by_id: Mapping[str, CatalogRow]) -> str:
    if own.parent is None:
        return "none"
    row, parent = by_id[own.row.id], by_id[own.parent.id]
    is_snapshot = row.derivation is None and parent.run == row.run and (parent.step or 0) < (row.step or 0)
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
    record_property("duplicates: equal by the way they were made", float(sum(len(group) - 1 for group in expected)))
    record_property("duplicates: in a group of their own", float(len(missed)))
    record_property("duplicates: pruned where nothing reads, and so the same function", float(len(more)))
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
    rows = without_facts(zoo.rows())
    found = {own.row.id: own for own in lineage_of(zoo, rows, str(tmp_path / "embeddings"))}
    for number in range(4):
        child = found[f"ani-1ccx_{number}"]
        assert next_of_kin(child) == f"ani-1x_{number}"
        assert (child.identical, child.compared) == (8, 16)  # layers 1 and 3 of four networks
        assert child.direction == "frozen or unused weights are the same"
    assert not {next_of_kin(own) for own in found.values()} & {"soluble_v_48_002", "vanilla_v_48_002"}


def test_a_best_model_is_kin_to_its_own_run(real_checkpoints, tmp_path, record_property):
    zoo = Zoo.create(tmp_path / "zoo")
    add(zoo, [real_checkpoints / "rl"], AddOptions())
    rows = zoo.rows()
    for row in (row for row in rows if row.id.endswith("best_model.policy")):
        _add_strangers(zoo, row, tmp_path / "strangers")
    by_id = {row.id: row for row in zoo.rows()}
    named = [own for own in lineage_of(zoo, zoo.rows(), str(tmp_path / "embeddings")) if next_of_kin(own)]
    assert all(Path(own.row.path).parent == Path(by_id[str(next_of_kin(own))].path).parent for own in named)
    runs = {Path(own.row.path).parent for own in named}
    record_property("RL: runs whose best model is found among ten of its shape, of 6", float(len(runs)))
    assert len(runs) >= 5


def _add_strangers(zoo: Zoo, row: CatalogRow, folder: Path) -> None:
    """Ten networks of the same shape and with the same values, each in an order of its own."""
    ((checkpoint, _),) = open_items(zoo, [row])
    for number in range(10):
        generator = np.random.default_rng(number)
        tensors = {
            name: ("F32", generator.permuted(checkpoint.read(name).reshape(-1)).reshape(info.shape))
            for name, info in checkpoint.tensors.items()
        }
        out = folder / row.id.replace("/", "-") / f"stranger-{number}.safetensors"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_safetensors(out, tensors, checkpoint.metadata)
    add(zoo, [folder / row.id.replace("/", "-")], AddOptions())
