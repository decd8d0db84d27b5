import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from wembed.models import CNN, MLP, Architecture, ResNet, load_dataset
from wembed.zoo.builder.lineage.change import relative_change
from wembed.zoo.builder.manifest import Group, Ranges, Training, Twins
from wembed.zoo.builder.runs import Run, describe_model, draw_data, draw_weights, plan_twins, trainee_of
from wembed.zoo.builder.training import Trained, train
from wembed.zoo.builder.training.stack_model import StackedModel

RANGES = Ranges(learning_rate=(1e-3, 1e-2))
ARCHITECTURES = [
    MLP(hidden=(7, 5)),
    MLP(hidden=(6,), activation="gelu", norm="batch"),
    MLP(hidden=(5, 4, 4), activation="tanh", norm="layer"),
    CNN(hidden=(3, 4), activation="leaky_relu"),
    CNN(hidden=(3, 4, 2), norm="batch", activation="silu"),
    CNN(hidden=(3, 4), kernel=(5, 1), strides=(2, 1), pooling="none", head="mean"),
]
SNAPSHOTS = (0, 3, 20)


def runs_of(
    architecture: Architecture, count: int, ranges: Ranges = RANGES, seed: int = 0, snapshots=SNAPSHOTS, batch_size=16
) -> list[Run]:
    training = Training(snapshots=snapshots, batch_size=batch_size)
    group = Group(dataset="digits", architecture=architecture, runs=count, training=training, hyperparameters=ranges)
    return [Run(group, number, seed) for number in range(count)]


def trained(runs: list[Run]) -> list[Trained]:
    data, group = load_dataset("digits"), runs[0].group
    return train([trainee_of(run, data) for run in runs], group.architecture, data, group.training.snapshots)


def train_alone(run: Run) -> list[dict[str, np.ndarray]]:
    """What an ordinary loop over one ordinary module makes of a run, with PyTorch's own AdamW."""
    data, training = load_dataset("digits"), run.group.training
    module = run.group.architecture.build(data.shape, data.classes).train()
    weights = draw_weights(run, describe_model(run.group, data))
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    drawn, found = run.hyperparameters, []
    optimiser = torch.optim.AdamW(module.parameters(), drawn["learning_rate"], weight_decay=drawn["weight_decay"])
    own = draw_data(run, data, training.steps + 1, training.batch_size)
    labels = torch.from_numpy(own.labels)
    for step, batch in enumerate(own.batches):
        if step in training.snapshots:
            found.append({name: value.numpy().copy() for name, value in module.state_dict().items()})
        loss = nn.functional.cross_entropy(module(data.train_inputs[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return found


def without_gradient(architecture: Architecture) -> set[str]:
    """Biases that the norm behind them takes out again, and its mean: Adam makes steps of what rounding leaves."""
    layers = list(architecture.build((1, 8, 8), 10).named_children())
    norms = [place for place, (_, layer) in enumerate(layers) if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    return {f"{layers[at][0]}.running_mean" for at in norms} | {f"{layers[at - 1][0]}.bias" for at in norms}


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda found: found.label)
def test_networks_trained_together_are_those_trained_alone(architecture, record_property):
    runs = runs_of(architecture, 3, seed=1)
    together = trained(runs)
    assert [(found.trainee, found.step) for found in together] == list(itertools.product(range(3), SNAPSHOTS))
    alone = [found for run in runs for found in train_alone(run)]
    for ours, theirs in zip(together, alone, strict=True):
        assert list(ours.tensors) == [name for name in theirs if not name.endswith("num_batches_tracked")]
        for name, values in ours.tensors.items():
            if ours.step and name in without_gradient(architecture):
                continue
            difference = float(np.abs(values - theirs[name]).max())
            record_property("stacked training, difference to training alone", difference)
            np.testing.assert_allclose(values, theirs[name], atol=2e-4 if ours.step else 1e-6, err_msg=name)
    assert np.abs(together[1].tensors["1.weight" if "cnn" in architecture.label else "0.weight"]).max() > 0.05


def test_a_run_does_not_depend_on_what_else_is_trained():
    few, many = (trained(runs_of(ARCHITECTURES[0], count, snapshots=(10,))) for count in (1, 9))
    for name, values in few[0].tensors.items():
        np.testing.assert_allclose(values, many[0].tensors[name], atol=1e-5)
        assert np.abs(values - many[1].tensors[name]).max() > 0.01


@pytest.mark.parametrize("learning_rate", [1e6, 1e20])
def test_a_run_that_diverges_leaves_its_start_and_the_others_go_on(learning_rate):
    runs = runs_of(ARCHITECTURES[0], 3, snapshots=(2, 6))
    wild = runs_of(ARCHITECTURES[0], 3, Ranges(learning_rate=(learning_rate, learning_rate)), snapshots=(2, 6))[1]
    found = trained([runs[0], wild, runs[2]])
    assert [(entry.trainee, entry.step) for entry in found] == [(0, 2), (0, 6), (1, 0), (2, 2), (2, 6)]
    assert [entry.diverged_at for entry in found] == [None, None, 1, None, None]
    assert all(np.isfinite(values).all() for entry in found for values in entry.tensors.values())
    undisturbed = trained(runs)
    for ours, theirs in zip([*found[:2], *found[3:]], [*undisturbed[:2], *undisturbed[4:]], strict=True):
        for name, values in ours.tensors.items():
            np.testing.assert_array_equal(values, theirs.tensors[name])


def test_a_run_that_diverges_late_ends_in_its_last_snapshot():
    decay = Ranges(learning_rate=(0.5, 0.5), weight_decay=(8.0, 8.0))  # every step triples the weights and turns them
    for architecture in (ARCHITECTURES[0], ARCHITECTURES[4]):
        first, last = trained(runs_of(architecture, 1, decay, snapshots=(0, 1, 50)))
        assert (first.step, first.diverged_at, last.step) == (0, None, 1)
        assert 1 < last.diverged_at < 50
        assert all(np.isfinite(values).all() for values in last.tensors.values())


@pytest.mark.parametrize("kind", ["stacked", "alone"])
def test_training_ends_where_the_weights_have_changed_enough(kind):
    architecture = ARCHITECTURES[0] if kind == "stacked" else ResNet(widths=(4,), blocks=1)
    data, runs = load_dataset("digits"), runs_of(architecture, 3, snapshots=(60,))
    wanted = (0.01, 0.05, None)
    trainees = [
        dataclasses.replace(trainee_of(run, data), learning_rate=2e-3, until=until)
        for run, until in zip(runs, wanted, strict=True)
    ]
    few, many, all_of_it = train(trainees, architecture, data, (60,))
    changes = [relative_change(trainees[at].start, found.tensors) for at, found in enumerate((few, many))]
    assert 0 < few.step < many.step < all_of_it.step == 60
    for change, until in zip(changes, wanted, strict=False):
        assert until <= change < 1.6 * until
    assert train(trainees[:1], architecture, data, (60,))[0].step == few.step


def test_soft_targets_teach_what_the_teacher_says():
    data, (run,) = load_dataset("digits"), runs_of(MLP(hidden=(16,)), 1, snapshots=(300,), batch_size=32)
    shares = np.full((len(data.train_labels), 10), 0.02, np.float32)
    shares[np.arange(len(shares)), (data.train_labels.numpy() + 1) % 10] = 0.82
    confidence = []
    for labels in (shares, shares.argmax(1)):
        trainee = dataclasses.replace(trainee_of(run, data), labels=labels, learning_rate=1e-2)
        (taught,) = train([trainee], run.group.architecture, data, (300,))
        module = run.group.architecture.build(data.shape, data.classes)
        module.load_state_dict({name: torch.from_numpy(value) for name, value in taught.tensors.items()})
        logits = module(data.test_inputs).detach()
        assert (logits.argmax(1) == (data.test_labels + 1) % 10).float().mean() > 0.8
        confidence.append(float(logits.softmax(1).max(1).values.mean()))
    assert confidence[0] < 0.85 < confidence[1]


@pytest.mark.parametrize(
    "architecture", [ResNet(widths=(4,), blocks=1), ARCHITECTURES[4]], ids=lambda found: found.label
)
def test_running_statistics_go_on_from_where_they_were(architecture):
    data, (run,) = load_dataset("digits"), runs_of(architecture, 1, snapshots=(5, 10))
    half, whole = trained([run])
    name = next(name for name in half.tensors if name.endswith("running_mean"))
    rest = trainee_of(run, data)
    rest = dataclasses.replace(rest, start=half.tensors, batches=rest.batches[5:])
    begin, end = train([rest], architecture, data, (0, 5))
    np.testing.assert_array_equal(begin.tensors[name], half.tensors[name])
    assert np.abs(end.tensors[name] - whole.tensors[name]).max() < 0.3 * np.abs(whole.tensors[name]).max()


def test_twins_share_what_they_should_and_nothing_else():
    group = runs_of(ARCHITECTURES[0], 2)[0].group.model_copy(update={"twins": Twins(init=1, data=2, order=1)})
    base, twins = Run(group, 1, 0), [twin for twin in plan_twins(group, 0) if twin.number == 1]
    own = {"init": {"init"}, "data": {"subset", "noise", "order"}, "order": {"order"}}
    assert [twin.name.removeprefix(base.name) for twin in twins] == [
        "-twin-init-0", "-twin-data-0", "-twin-data-1", "-twin-order-0",
    ]  # fmt: skip
    for twin in twins:
        differing = {
            purpose
            for purpose in ("hyperparameters", "init", "subset", "noise", "order")
            if twin.draw_id(purpose) != base.draw_id(purpose)
        }
        assert differing == own[twin.twin]
    assert len({twin.draw_id("order") for twin in twins}) == 4
    first, second = trained([base, twins[3]]), trained([base, twins[0]])
    for name, values in first[0].tensors.items():  # step 0
        np.testing.assert_array_equal(values, first[3].tensors[name])
    assert np.abs(first[2].tensors["0.weight"] - first[5].tensors["0.weight"]).max() > 1e-3
    assert np.abs(second[0].tensors["0.weight"] - second[3].tensors["0.weight"]).max() > 0.1


def test_hyperparameters_lie_in_their_ranges_and_spread_over_them():
    runs = runs_of(ARCHITECTURES[0], 300, Ranges())
    for name in Ranges.model_fields:
        low, high = getattr(Ranges(), name)
        drawn = np.array([run.hyperparameters[name] for run in runs])
        assert low <= drawn.min() <= drawn.max() <= high
        middle = np.sqrt(low * high) if name in ("learning_rate", "weight_decay") else (low + high) / 2
        assert 0.4 < (drawn < middle).mean() < 0.6


def test_each_purpose_has_its_own_randomness():
    first, second = runs_of(ARCHITECTURES[0], 2)
    again, other = runs_of(ARCHITECTURES[0], 1)[0], runs_of(ARCHITECTURES[0], 1, seed=1)[0]
    purposes = ("hyperparameters", "init", "subset", "noise", "order")
    drawn = [run.draw_id(purpose) for run in (first, second, other) for purpose in purposes]
    assert len(set(drawn)) == len(drawn)
    assert [again.draw_id(purpose) for purpose in purposes] == drawn[:5]
    assert first.generator("init").random() != first.generator("order").random()


def test_a_run_sees_its_share_with_its_share_of_wrong_labels():
    data = load_dataset("digits")
    for run in runs_of(ARCHITECTURES[0], 20, Ranges()):
        drawn, own = run.hyperparameters, draw_data(run, data, 200, 32)
        assert len(own.subset) == round(drawn["train_fraction"] * len(data.train_labels))
        wrong = np.flatnonzero(own.labels != data.train_labels.numpy())
        assert set(wrong) <= set(own.subset)
        assert len(wrong) == round(drawn["label_noise"] * len(own.subset))
        assert set(own.batches.flatten()) == set(own.subset)
        times = np.unique(own.batches, return_counts=True)[1]
        assert times.max() - times.min() <= 1  # every input as often as every other


def test_the_initial_weights_have_the_deviation_that_was_drawn():
    run = runs_of(MLP(hidden=(400,), norm="layer"), 1)[0]
    weights = draw_weights(run, describe_model(run.group, load_dataset("digits")))
    expected = run.hyperparameters["init_scale"] * (2 / 64) ** 0.5
    assert weights["0.weight"].std() == pytest.approx(expected, rel=0.02)
    assert (weights["0.bias"].max(), weights["1.weight"].min(), weights["1.bias"].max()) == (0, 1, 0)


def test_what_is_no_chain_begins_as_its_framework_begins_times_the_scale():
    found = {}
    for scale in (0.5, 2.0):
        run = runs_of(ResNet(widths=(4,), blocks=1), 1, Ranges(init_scale=(scale, scale)))[0]
        found[scale] = draw_weights(run, describe_model(run.group, load_dataset("digits")))
    for name, small in found[0.5].items():
        np.testing.assert_allclose(found[2.0][name], small * (4 if small.ndim > 1 else 1), rtol=1e-6)


def test_the_template_is_only_read():
    data = load_dataset("digits")
    template = ARCHITECTURES[0].build(data.shape, data.classes)
    before = {name: value.clone() for name, value in template.state_dict().items()}
    starts = [draw_weights(run, describe_model(run.group, data)) for run in runs_of(ARCHITECTURES[0], 2)]
    stack = StackedModel(template, starts)
    stack.forward(torch.zeros(2, 64, 3)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in template.state_dict().items())
    assert [list(stack.tensors_of(model, stack.statistics)) for model in range(2)] == [list(before)] * 2
