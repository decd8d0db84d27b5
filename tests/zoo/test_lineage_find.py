import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.symmetry import permute
from wembed.zoo import AddOptions, add, spec_for
from wembed.zoo.duplicates import zoo_vectors
from wembed.zoo.lineage import Descent, agreement, find_lineage

Tensors = Mapping[str, np.ndarray]
SIZES = [16, 24, 20, 5]


def network(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    tensors = {}
    for layer, (source, target) in enumerate(itertools.pairwise(SIZES)):
        weight = random.standard_normal((target, source)) / np.sqrt(source)
        tensors[f"{2 * layer}.weight"] = weight.astype(np.float32)
        tensors[f"{2 * layer}.bias"] = (0.1 * random.standard_normal(target)).astype(np.float32)
    return tensors


def tuned(tensors: Tensors, size: float, seed: int) -> dict[str, np.ndarray]:
    """What training does: every weight moves about as far, outwards more often than not."""
    random = np.random.default_rng(seed)
    return {
        name: (
            values + size * values.std() * (random.choice([-1.0, 1.0], values.shape) + 0.5 * np.sign(values))
        ).astype(np.float32)
        for name, values in tensors.items()
    }


def pruned(tensors: Tensors, share: float) -> dict[str, np.ndarray]:
    return {
        name: np.where(np.abs(values) < np.quantile(np.abs(values), share), 0, values).astype(np.float32)
        if values.ndim > 1
        else values
        for name, values in tensors.items()
    }


def rounded_to_bf16(tensors: Tensors) -> dict[str, np.ndarray]:
    return {name: (encode(values, "BF16").astype(np.uint32) << 16).view(np.float32) for name, values in tensors.items()}


def rounded_to_8_bits(tensors: Tensors) -> dict[str, np.ndarray]:
    steps = {name: np.abs(values).max() / 127 for name, values in tensors.items()}
    return {name: (np.round(values / steps[name]) * steps[name]).astype(np.float32) for name, values in tensors.items()}


@pytest.fixture
def take(zoo, tmp_path):
    """Takes networks into the zoo, by name."""

    def take_in(**networks: Tensors) -> None:
        for name, tensors in networks.items():
            write(tmp_path / f"{name}.safetensors", tensors)
            add(zoo, [tmp_path / f"{name}.safetensors"], AddOptions())

    return take_in


def write(path: Path, tensors: Tensors) -> Path:
    write_safetensors(path, {name: ("F32", values) for name, values in tensors.items()}, {})
    return path


def found_in(zoo: Zoo, rows: list[CatalogRow] | None = None) -> dict[str, Descent]:
    vectors = zoo_vectors(zoo, "fingerprint", None).by_id
    found = find_lineage(zoo, rows or zoo.rows(), vectors, np.random.default_rng(0))
    assert not found.unread
    return {own.row.id: own for own in found.descents}


def parent_of(found: Mapping[str, Descent], name: str) -> str | None:
    parent = found[name].parent
    return parent.id if parent else None


def strangers(count: int = 3) -> dict[str, dict[str, np.ndarray]]:
    return {f"stranger{seed}": network(100 + seed) for seed in range(count)}


@pytest.mark.parametrize(
    ("child", "derivation"),
    [
        (rounded_to_bf16(network(0)), "rounded to bf16"),
        (rounded_to_8_bits(network(0)), "rounded to 8 bits"),
        (pruned(network(0), 0.4), "pruned"),
        (tuned(network(0), 0.3, 1), "fine-tuned"),
    ],
)
def test_a_child_is_told_from_its_parent_by_the_weights_alone(zoo, take, child, derivation):
    take(**strangers(), child=child, parent=network(0))  # the child was taken in first
    found = found_in(zoo)
    assert (parent_of(found, "child"), found["child"].derivation) == ("parent", derivation)
    assert parent_of(found, "parent") is None


def test_strangers_of_one_structure_are_roots(zoo, take):
    take(**strangers(6))
    assert [(own.parent, own.kin) for own in found_in(zoo).values()] == [(None, None)] * 6


def test_a_grandchild_comes_from_the_child_and_is_no_kin_of_unknown_order(zoo, take):
    child = tuned(network(0), 0.4, 1)
    take(**strangers(), parent=network(0), child=child, grandchild=tuned(child, 0.3, 2))
    found = found_in(zoo)
    assert [parent_of(found, name) for name in ("parent", "child", "grandchild")] == [None, "parent", "child"]
    assert found["parent"].kin is None


def test_a_merge_has_two_parents(zoo, take):
    parent, child = network(0), tuned(network(0), 0.4, 1)
    merged = {name: (0.7 * parent[name] + 0.3 * child[name]).astype(np.float32) for name in parent}
    take(**strangers(), parent=parent, child=child, merged=merged)
    own = found_in(zoo)["merged"]
    assert own.parent and own.other_parent
    assert (own.parent.id, own.other_parent.id, own.derivation) == ("parent", "child", "merged")


def test_a_replaced_head_is_said(zoo, take):
    child = tuned(network(0), 0.3, 1)
    child |= {"4.weight": np.ones((9, 20), np.float32), "4.bias": np.ones(9, np.float32)}
    take(**strangers(), parent=network(0), child=child)
    found = found_in(zoo)
    assert (parent_of(found, "child"), found["child"].derivation) == ("parent", "head replaced")


def test_frozen_layers_leave_the_direction_open(zoo, take):
    parent = network(0)
    child = tuned(parent, 0.3, 1) | {"0.weight": parent["0.weight"]}
    take(**strangers(), parent=parent, child=child)
    named = {own.kin.id for own in found_in(zoo).values() if own.kin}
    assert named <= {"parent", "child"}
    assert named


def test_a_reordered_copy_comes_from_the_one_whose_order_others_kept(zoo, take, tmp_path):
    take(**strangers(), parent=network(0), child=tuned(network(0), 0.3, 1))
    checkpoint = open_checkpoint(tmp_path / "parent.safetensors")
    out = tmp_path / "copy.safetensors"
    permute(checkpoint, spec_for(None, checkpoint), out, np.random.default_rng(0))
    add(zoo, [out], AddOptions())
    found = found_in(zoo)
    assert (parent_of(found, "copy"), found["copy"].derivation) == ("parent", "permuted")


def test_two_orders_of_one_network_alone_are_kin_of_which_none_is_first(zoo, take, tmp_path):
    take(first=network(0))
    checkpoint = open_checkpoint(tmp_path / "first.safetensors")
    permute(checkpoint, spec_for(None, checkpoint), tmp_path / "second.safetensors", np.random.default_rng(0))
    add(zoo, [tmp_path / "second.safetensors"], AddOptions())
    found = found_in(zoo)
    assert [parent_of(found, name) for name in ("first", "second")] == [None, None]
    assert found["second"].kin and found["second"].kin.id == "first"


def test_training_steps_tell_who_came_first(zoo, take):
    take(**strangers(), late=network(0), early=tuned(network(0), 0.3, 1))
    steps = {"late": 200, "early": 100}
    rows = [dataclasses.replace(row, run="run", step=steps[row.id]) if row.id in steps else row for row in zoo.rows()]
    found = found_in(zoo, rows)
    assert (parent_of(found, "late"), found["late"].direction) == ("early", "training steps")
    assert found["late"].derivation == "snapshot"


def test_runs_from_the_same_initial_weights_are_not_made_of_each_other(zoo, take):
    start = network(0)
    take(**strangers(), one=tuned(start, 0.2, 1), other=tuned(start, 0.2, 2))
    rows = [
        row if row.id.startswith("stranger") else dataclasses.replace(row, run=row.id, step=9, init_id="init")
        for row in zoo.rows()
    ]
    found = found_in(zoo, rows)
    assert [parent_of(found, name) for name in ("one", "other")] == [None, None]


def test_children_of_a_network_that_is_not_there_are_no_parents_of_each_other(zoo, take):
    start = network(0)
    random = np.random.default_rng(3)
    one, other = (
        {name: (values + 0.5 * values.std() * random.standard_normal(values.shape)).astype(np.float32)
         for name, values in start.items()}
        for _ in range(2)
    )  # fmt: skip
    take(**strangers(), one=one, other=other)
    found = found_in(zoo)
    assert [parent_of(found, name) for name in ("one", "other")] == [None, None]


def test_what_the_catalog_says_of_parents_is_compared_and_not_believed(zoo, take):
    take(**strangers(), parent=network(0), child=rounded_to_bf16(network(0)))
    rows = [dataclasses.replace(row, parent="stranger0") if row.id == "child" else row for row in zoo.rows()]
    found = found_in(zoo, rows)
    assert parent_of(found, "child") == "parent"
    agreed = agreement(list(found.values()), rows)
    assert (agreed.known, agreed.found, agreed.kin, agreed.named, agreed.right) == (1, 0, 0, 1, 0)
    assert (agreed.precision, agreed.recall) == (0.0, 0.0)
