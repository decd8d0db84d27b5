import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from wembed.errors import UsageError
from wembed.models import MLP, load_dataset
from wembed.zoo.builder.lineage.change import relative_change
from wembed.zoo.builder.lineage.child import Child
from wembed.zoo.builder.lineage.plan import plan_children
from wembed.zoo.builder.lineage.twins import twin_draws
from wembed.zoo.builder.manifest import Children, Group, Training

EVERY_KIND = {
    "data": 2, "classes": 1, "head": 1, "continued": 1, "pruned": 1, "int8": 1, "bf16": 1, "noise": 1,
    "distilled": 1, "permuted": 1, "merged": 2,
}  # fmt: skip


def group_of(dataset: str = "digits", **children: object) -> Group:
    return Group(
        dataset=dataset,
        architecture=MLP(kind="mlp", hidden=(8,)),
        runs=3,
        training=Training(snapshots=(10, 40)),
        children=Children(**children),
    )


def planned(group: Group, seed: int = 0) -> list[list[Child]]:
    return plan_children(group, seed, load_dataset(group.dataset))


def test_every_run_has_the_children_that_were_asked_for():
    group = group_of(**EVERY_KIND)
    first, second = planned(group)
    assert Counter(child.derivation for child in [*first, *second]) == {
        kind: 3 * count for kind, count in EVERY_KIND.items()
    }
    assert {child.derivation for child in second} == {"merged"}
    assert Counter(child.parent for child in first) == {f"digits-mlp-relu-8-00{run}-step40": 11 for run in range(3)}
    assert first[0].name == "digits-mlp-relu-8-000-data-0"
    assert [child.run_number for child in first[:6]] == [0, 0, 1, 1, 2, 2]


def test_a_child_needs_only_what_earlier_rounds_make():
    group = group_of(**EVERY_KIND, generations=3)
    rounds = planned(group)
    known = {f"digits-mlp-relu-8-00{run}-step40" for run in range(3)}
    for number, born in enumerate(rounds, 1):
        assert {child.generation for child in born} == {number}
        assert {child.parent for child in born} <= known
        assert {child.other for child in born if child.derivation == "merged"} <= known
        known |= {child.name for child in born}
    assert len(rounds) == 4
    assert sum(map(len, rounds)) == 3 * group.children.total == len(known) - 3


def test_a_merge_is_with_a_fine_tune_of_the_same_parent():
    merges = [child for child in itertools.chain(*planned(group_of(**EVERY_KIND, generations=2))) if child.other]
    assert {merge.derivation for merge in merges} == {"merged"}
    for merge in merges:
        assert merge.other in (f"{merge.parent_name}-data-0", f"{merge.parent_name}-data-1")
    assert "digits-mlp-relu-8-002-data-1-merged-1" in {merge.name for merge in merges}


def test_what_a_child_draws_follows_from_seed_and_name():
    group = group_of(data=30, noise=1, permuted=1)
    born = planned(group)[0]
    again = {child.name: child for child in planned(group_of(data=40, noise=1, permuted=1, bf16=2))[0]}
    other = {child.name: child for child in planned(group, seed=1)[0]}
    for child in born:
        assert child.change == again[child.name].change
        assert child.draw_id("order") == again[child.name].draw_id("order") != other[child.name].draw_id("order")
    ids = [child.draw_id(purpose) for child in born for purpose in ("order", "subset", "change")]
    assert len(set(ids)) == len(ids)


def test_changes_are_log_uniform_and_where_the_format_decides_none():
    group = group_of(noise=100, bf16=1, int8=1, permuted=1, change=(1e-3, 1.0))
    born = planned(group)[0]
    changes = np.log10([child.change for child in born if child.derivation == "noise"])
    assert -3 <= changes.min() < -2.9
    assert -0.1 < changes.max() <= 0
    assert np.histogram(changes, 3, (-3, 0))[0].min() > 80
    assert {child.change for child in born if child.derivation != "noise"} == {None}
    noisy = next(child for child in born if child.derivation == "noise")
    fixed = replace(noisy, group=group_of(noise=1, change=(0.25, 0.25)))
    assert fixed.change == 0.25


def test_a_new_head_is_for_the_parity_of_the_data_set():
    born = planned(group_of(head=1, data=1))[0]
    assert {child.derivation: child.dataset for child in born} == {"head": "digits-parity", "data": "digits"}


@pytest.mark.parametrize("kind", ["classes", "head"])
def test_few_classes_can_be_neither_halved_nor_told_by_parity(kind):
    message = f"{kind}: at least 4 classes are needed, found 3 in wine"
    with pytest.raises(UsageError, match=message) as caught:
        planned(group_of("wine", **{kind: 1}))
    assert caught.value.hint == f"set children.{kind} of the group to 0"


def test_characters_are_no_classes():
    text = replace(load_dataset("digits"), kind="text")
    with pytest.raises(UsageError, match=r"classes: at least 4 classes are needed, found text") as caught:
        plan_children(group_of(classes=1, head=1), 0, text)
    assert caught.value.hint == "set children.classes and children.head of the group to 0"


def test_a_merge_needs_a_fine_tune():
    message = "merged: a run is merged with its fine-tunes, of which it has none"
    with pytest.raises(UsageError, match=message):
        planned(group_of(merged=1, noise=1))


def test_twins_differ_in_what_their_kind_says():
    assert twin_draws("init") == {"init"}
    assert twin_draws("data") == {"subset", "noise", "order"}
    assert twin_draws("order") == {"order"}


def test_change_is_relative_to_the_parent_and_counts_shared_weights_only():
    parent = {"0.weight": np.full((2, 2), 2.0, np.float32), "1.weight": np.ones((3, 2), np.float32)}
    parent["0.bias"] = np.zeros(2, np.float32)
    child = {"0.weight": np.full((2, 2), 2.5, np.float32), "1.weight": np.ones((2, 2), np.float32)}
    child["0.bias"] = np.ones(2, np.float32)
    assert relative_change(parent, child) == pytest.approx(0.25)
    assert relative_change(parent, parent) == 0.0
    assert relative_change({"a": np.zeros((2, 2), np.float32)}, {"a": np.ones((2, 2), np.float32)}) == np.inf
