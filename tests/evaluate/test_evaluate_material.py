"""Who is on which side, and what a query hides."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.material import gather, run_of
from wembed.evaluate.retrieval.queries import NOISE, disguised, noised
from wembed.models import load_dataset, load_module, score


def test_no_run_is_on_two_sides_and_the_sealed_data_set_on_none_but_its_own(material):
    sides = {}
    for row in material.rows:
        sides.setdefault(run_of(row), set()).add(material.splits[row.id])
    assert all(len(found) == 1 for found in sides.values())
    assert {material.splits[row.id] for row in material.rows if row.dataset == "breast_cancer"} == {"zero-shot"}
    assert set().union(*sides.values()) == {"train", "validation", "test", "zero-shot"}


def test_a_run_on_two_sides_is_refused(material):
    row = next(row for row in material.rows if material.splits[row.id] == "test")
    with pytest.raises(ValueError, match=f"run {row.run} stands on several sides"):
        dataclasses.replace(material, splits=material.splits | {row.id: "train"})


def test_a_family_that_the_catalog_tears_apart_is_refused(changed):
    zoo = changed(lambda row: dataclasses.replace(row, split="train" if row.step == 6 else "test"))
    with pytest.raises(ValueError, match="stands on several sides of the split"):
        gather(zoo, split_seed=0)


def test_a_broken_file_is_passed_over(changed, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    zoo = changed(lambda row: dataclasses.replace(row, path=str(broken)) if row.id.endswith("000-step6") else row)
    found = gather(zoo, split_seed=0)
    assert len(found.failures) == 3
    assert len(found.rows) == len(zoo.rows()) - 3


def test_finals_are_the_last_snapshots(material):
    rows = [row for row, last in zip(material.rows, material.finals(), strict=True) if last]
    assert {row.step for row in rows} == {24}
    assert len(rows) == len(material.rows) / 2


def test_a_disguised_network_has_other_weights_and_the_same_function(material):
    (checkpoint, spec), data = material.items[0], load_dataset("wine")
    other, _ = disguised((checkpoint, spec), np.random.default_rng(0))
    assert not np.allclose(other.read("0.weight"), checkpoint.read("0.weight"))
    reached = [load_module(each)(data.test_inputs).detach().numpy() for each in (checkpoint, other)]
    assert np.allclose(*reached, atol=1e-4)


def test_noise_is_a_twentieth_of_each_tensor(material):
    checkpoint, spec = material.items[0]
    still = dataclasses.replace(spec, sites={}, layers=())
    identity = dataclasses.replace(
        still, atoms={name: dataclasses.replace(atom, frozen="kept") for name, atom in spec.atoms.items()}
    )
    other, _ = noised((checkpoint, identity), np.random.default_rng(0))
    change = other.read("0.weight") - checkpoint.read("0.weight")
    assert change.std() == pytest.approx(NOISE * checkpoint.read("0.weight").std(), rel=0.2)


def test_a_noised_network_is_nearly_as_good(material):
    data = load_dataset("wine")
    before, after = [], []
    for place in range(0, 20, 2):
        item = material.items[place]
        copy, _ = noised(item, np.random.default_rng(place))
        before.append(score(load_module(item[0]), data.test_inputs, data.test_labels).accuracy)
        after.append(score(load_module(copy), data.test_inputs, data.test_labels).accuracy)
    assert before != after
    assert np.mean(after) == pytest.approx(np.mean(before), abs=0.05)
