import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from wembed.models import CNN, IGNORED, MLP, Architecture, Dataset, load_dataset
from wembed.models.architectures import T5, ResNet
from wembed.zoo.builder.lineage.change import Tensors, relative_change, weight_names
from wembed.zoo.builder.lineage.child import Child
from wembed.zoo.builder.lineage.derived import Derived
from wembed.zoo.builder.lineage.lessons import TRAINED, lesson_of, root_of
from wembed.zoo.builder.lineage.make import make_children
from wembed.zoo.builder.lineage.plan import plan_children
from wembed.zoo.builder.lineage.teacher import logits_of
from wembed.zoo.builder.manifest import Children, Group, Ranges, Training
from wembed.zoo.builder.runs import describe_model, draw_data, draw_weights, plan_runs, trainee_of
from wembed.zoo.builder.training import train

RUNS = 3
STEPS = 40  # of training, of a run and at most of a child
CHANGE = (0.01, 0.1)
ARCHITECTURES = {
    "mlp": MLP(kind="mlp", hidden=(24, 16)),
    "batch norm": CNN(kind="cnn", hidden=(4, 6), norm="batch"),
}
KINDS = (
    "data", "classes", "head", "continued", "pruned", "int8", "bf16", "noise", "distilled", "permuted", "merged",
)  # fmt: skip


def group_of(architecture: Architecture, dataset: str = "digits", **children: object) -> Group:
    return Group(
        dataset=dataset,
        architecture=architecture,
        runs=RUNS,
        training=Training(batch_size=16, snapshots=(STEPS,)),
        hyperparameters=Ranges(learning_rate=(3e-3, 1e-2), train_fraction=(0.3, 0.6), label_noise=(0.2, 0.3)),
        children=Children(change=CHANGE, steps=STEPS, **(children or dict.fromkeys(KINDS, 1))),
    )


def trained_parents(group: Group) -> dict[str, Tensors]:
    data, runs = load_dataset(group.dataset), plan_runs(group, 0)
    kept = train([trainee_of(run, data) for run in runs], group.architecture, data, group.training.snapshots)
    return {f"{runs[entry.trainee].name}-step{entry.step}": entry.tensors for entry in kept}


@cache
def family(name: str) -> tuple[dict[str, Tensors], dict[str, list[Derived]]]:
    """The tensors of parents by id, and all their children by kind."""
    group = group_of(ARCHITECTURES[name])
    parents, made = trained_parents(group), {}
    for born in plan_children(group, 0, load_dataset("digits")):
        for kind in dict.fromkeys(child.derivation for child in born):
            children = [child for child in born if child.derivation == kind]
            made[kind] = make_children(children, parents, load_dataset(children[0].dataset))
            parents |= {entry.child.name: entry.tensors for entry in made[kind]}
    return parents, made


@pytest.fixture(params=list(ARCHITECTURES))
def name(request) -> str:
    return request.param


@pytest.fixture
def parents(name) -> dict[str, Tensors]:
    return family(name)[0]


@pytest.fixture
def made(name) -> Mapping[str, list[Derived]]:
    return family(name)[1]


def without_gradient(architecture: Architecture) -> set[str]:
    """Biases that the norm behind them takes out again, and its mean: Adam makes steps of what rounding leaves."""
    layers = list(architecture.build((1, 8, 8), 10).named_children())
    norms = [place for place, (_, layer) in enumerate(layers) if isinstance(layer, torch.nn.BatchNorm2d)]
    return {f"{layers[at][0]}.running_mean" for at in norms} | {f"{layers[at - 1][0]}.bias" for at in norms}


def said_by(tensors: Tensors, child: Child, data: Dataset) -> torch.Tensor:
    return logits_of(tensors, describe_model(child.group, data), data.test_inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_one_network_per_child_with_its_measured_change(parents, made, kind):
    assert [entry.child.run_number for entry in made[kind]] == list(range(RUNS))
    for entry in made[kind]:
        parent = parents[entry.child.parent]
        assert list(entry.tensors) == list(parent)
        assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in entry.tensors.values())
        assert entry.change == relative_change(parent, entry.tensors) > 0
        assert (entry.step is not None) == (kind in TRAINED)
        assert entry.diverged_at is None
        assert json.loads(json.dumps(entry.details)) == entry.details


@pytest.mark.parametrize("kind", ["data", "classes", "head", "continued", "pruned", "noise"])
def test_children_change_as_much_as_was_drawn(made, kind):
    reached = [entry.change == pytest.approx(entry.child.change, rel=0.15) for entry in made[kind]]
    for entry, is_reached in zip(made[kind], reached, strict=True):
        assert is_reached or (entry.step == STEPS and entry.change < entry.child.change)
        assert entry.step is None or 0 < entry.step <= STEPS
    assert sum(reached) >= len(reached) - 1


def test_a_child_that_cannot_reach_its_change_stays_short_of_it(parents, made):
    child = made["data"][0].child
    steps = child.group.children.model_copy(update={"steps": 2})
    short = replace(child, group=child.group.model_copy(update={"children": steps}))
    entry = make_children([short], parents, load_dataset("digits"))[0]
    assert entry.step == 2
    assert entry.change == relative_change(parents[child.parent], entry.tensors) < 0.5 * child.change


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_is_the_same_whatever_is_made_with_it(parents, made, kind):
    last = made[kind][-1]
    again = make_children([last.child], parents, load_dataset(last.child.dataset))[0]
    for name in last.tensors.keys() - without_gradient(last.child.group.architecture):
        np.testing.assert_allclose(again.tensors[name], last.tensors[name], atol=1e-5, rtol=1e-4, err_msg=name)
    first_weight = weight_names(last.tensors)[0]
    assert np.abs(last.tensors[first_weight] - made[kind][0].tensors[first_weight]).max() > 0.01


@pytest.mark.parametrize("kind", ["pruned", "noise", "int8"])
def test_what_is_no_weight_is_carried_along(parents, made, kind):
    for entry in made[kind]:
        parent = parents[entry.child.parent]
        for name in parent.keys() - set(weight_names(parent)):
            np.testing.assert_array_equal(entry.tensors[name], parent[name], err_msg=name)


@pytest.mark.parametrize("kind", ["data", "classes", "head", "continued"])
def test_training_goes_on_from_the_parents_running_statistics(kind):
    parents, made = family("batch norm")
    for entry in made[kind]:
        before, after = (found["2.running_mean"] for found in (parents[entry.child.parent], entry.tensors))
        assert 0 < np.linalg.norm(after - before) < np.linalg.norm(before)


def test_children_have_children_of_their_own():
    group = group_of(ARCHITECTURES["mlp"], data=1, pruned=1, merged=1, generations=2).model_copy(update={"runs": 1})
    data, known, changes = load_dataset("digits"), trained_parents(group), {}
    for born in plan_children(group, 0, data):
        for child in born:
            (entry,) = make_children([child], known, data)
            known[child.name], changes[child.name] = entry.tensors, (entry.change, child.change)
    assert len(changes) == group.children.total == 9
    unreached = {name for name, (change, drawn) in changes.items() if change != pytest.approx(drawn, rel=0.15)}
    assert {name.split("-")[-2] for name in unreached} <= {"merged"}


def test_a_permuted_copy_computes_the_same_function(parents, made):
    for entry in made["permuted"]:
        expected, data = parents[entry.child.parent], load_dataset("digits")
        outputs = [said_by(tensors, entry.child, data) for tensors in (expected, entry.tensors)]
        torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)
        assert entry.change > 0.5


def test_a_copy_of_a_traced_network_computes_the_same_function():
    group = group_of(ResNet(widths=(4, 6)), permuted=1).model_copy(update={"runs": 1})
    data, parents = load_dataset("digits"), trained_parents(group)
    (entry,) = make_children(plan_children(group, 0, data)[0], parents, data)
    outputs = [said_by(tensors, entry.child, data) for tensors in (parents[entry.child.parent], entry.tensors)]
    torch.testing.assert_close(*outputs, atol=1e-3, rtol=1e-3)
    assert entry.change > 0.5


def test_a_head_is_new_and_two_wide_and_the_body_is_the_parents(parents, made):
    for entry in made["head"]:
        parent = parents[entry.child.parent]
        new = {name for name, values in entry.tensors.items() if values.shape != parent[name].shape}
        assert {entry.tensors[name].shape[0] for name in new} == {2}
        assert len(new) == 2  # weight and bias of the last layer
        assert entry.child.dataset == "digits-parity"


def lesson(entry: Derived, parents: Mapping[str, Tensors]):
    data = load_dataset(entry.child.dataset)
    return lesson_of(entry.child, parents[entry.child.parent], data), data


def test_a_fine_tune_sees_another_part_of_the_data_with_true_labels(parents, made):
    for entry in made["data"]:
        own, data = lesson(entry, parents)
        before = draw_data(root_of(entry.child), data, 1, 1).subset
        assert set(own.subset) - set(before)
        assert 0.1 <= own.details["train_fraction"] <= 0.5
        assert len(own.subset) == pytest.approx(own.details["train_fraction"] * len(data.train_labels))
        np.testing.assert_array_equal(own.labels, data.train_labels)


def test_a_specialist_sees_half_the_classes_and_all_that_belongs_to_them(parents, made):
    for entry in made["classes"]:
        own, data = lesson(entry, parents)
        seen = data.train_labels[own.subset].unique().tolist()
        assert seen == entry.details["classes"]
        assert len(seen) == 5
        assert len(own.subset) == sum(int((data.train_labels == label).sum()) for label in seen)


def test_continued_training_is_on_what_the_run_saw_in_another_order(parents, made):
    for entry in made["continued"]:
        own, data = lesson(entry, parents)
        run = draw_data(root_of(entry.child), data, 1, 1)
        np.testing.assert_array_equal(own.subset, run.subset)
        np.testing.assert_array_equal(own.labels, run.labels)
        assert entry.details["weight_decay"] == root_of(entry.child).hyperparameters["weight_decay"]
        again = replace(entry.child, parent=entry.child.name, parent_name=entry.child.name, generation=2)
        np.testing.assert_array_equal(lesson_of(again, entry.tensors, data).labels, run.labels)


def test_a_distilled_network_comes_to_agree_with_its_parent(parents, made):
    data = load_dataset("digits")
    for entry in made["distilled"]:
        parent = parents[entry.child.parent]
        start = lesson_of(entry.child, parent, data).start
        losses = [
            torch.nn.functional.cross_entropy(
                said_by(tensors, entry.child, data), said_by(parent, entry.child, data).softmax(1)
            )
            for tensors in (start, entry.tensors)
        ]
        assert relative_change(parent, start) == pytest.approx(entry.child.change, rel=1e-3)
        assert losses[1] < losses[0] + 0.05
        assert entry.details["agreement"] > 0.9


def test_a_merge_lies_between_its_parent_and_a_fine_tune_of_it(parents, made):
    for entry in made["merged"]:
        parent, other = parents[entry.child.parent], parents[entry.child.other]
        share = entry.details["t"]
        assert 0 < share <= 0.5
        assert entry.change == pytest.approx(min(entry.child.change, relative_change(parent, other) / 2), rel=1e-3)
        for name, values in parent.items():
            np.testing.assert_allclose(
                entry.tensors[name], (1 - share) * values + share * other[name], atol=1e-5, err_msg=name
            )


def test_on_text_a_teacher_says_the_likeliest_character_where_something_is_asked():
    windows = torch.from_numpy(np.random.default_rng(0).integers(0, 11, (40, 12)))
    asked = torch.where(torch.arange(12) < 6, IGNORED, windows)
    text = Dataset("text", "text", (12,), 11, windows, asked, windows, asked, windows, asked)
    group = group_of(T5(width=16, layers=1, heads=2), "documentation", distilled=1, data=1)
    run = plan_runs(group, 0)[0]
    child = plan_children(group, 0, text)[0][-1]
    parents = {child.parent: draw_weights(run, describe_model(group, text))}
    own = lesson_of(child, parents[child.parent], text)
    said = logits_of(parents[child.parent], describe_model(group, text), windows).argmax(2)
    assert (own.labels[:, :6] == IGNORED).all()
    np.testing.assert_array_equal(own.labels[:, 6:], said[:, -6:])
    for kind in ("distilled", "data"):
        (entry,) = make_children([replace(child, derivation=kind)], parents, text)
        assert entry.change == relative_change(parents[child.parent], entry.tensors) > 0


def test_only_children_of_one_kind_are_made_at_once(made):
    with pytest.raises(ValueError, match="children of one group and derivation are expected"):
        make_children([made["int8"][0].child, made["bf16"][0].child], {}, load_dataset("digits"))
    assert make_children([], {}, load_dataset("digits")) == []


def test_training_tells_how_far_it_is(parents, made):
    told: list[int] = []
    make_children([entry.child for entry in made["data"]], parents, load_dataset("digits"), told.append)
    assert told == sorted(told)
    assert 0 < told[-1] <= STEPS * RUNS
