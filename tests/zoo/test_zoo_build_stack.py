import itertools

import numpy as np
import pytest
import torch
from torch import nn

from wembed.models import Architecture, load_dataset
from wembed.zoo.builder.manifest import Group, Ranges, Training
from wembed.zoo.builder.runs import Run, draw_data, draw_weights
from wembed.zoo.builder.stack_model import Flat
from wembed.zoo.builder.stack_train import train_stack

RANGES = Ranges(learning_rate=(1e-3, 1e-2))
ARCHITECTURES = [
    Architecture(kind="mlp", hidden=(7, 5)),
    Architecture(kind="mlp", hidden=(6,), activation="gelu", batch_norm=True),
    Architecture(kind="mlp", hidden=(5, 4, 4), activation="tanh"),
    Architecture(kind="cnn", hidden=(3, 4), activation="leaky_relu"),
    Architecture(kind="cnn", hidden=(3, 4, 2), batch_norm=True, activation="silu"),
]
SNAPSHOTS = (0, 3, 20)


def runs_of(architecture: Architecture, count: int, ranges: Ranges = RANGES, seed: int = 0) -> list[Run]:
    group = Group(dataset="digits", architecture=architecture, runs=count)
    return [Run(group, number, seed, ranges) for number in range(count)]


def train_alone(run: Run, training: Training) -> list[dict[str, np.ndarray]]:
    """What an ordinary loop over one ordinary module makes of a run, with PyTorch's own AdamW."""
    data = load_dataset("digits")
    module = run.group.architecture.build(data.shape, data.classes).train()
    weights = draw_weights(run, {name: tuple(value.shape) for name, value in module.named_parameters()})
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    drawn, found = run.hyperparameters, []
    optimiser = torch.optim.AdamW(module.parameters(), drawn["learning_rate"], weight_decay=drawn["weight_decay"])
    own = draw_data(run, data, training.steps + 1, training.batch_size)
    labels = torch.from_numpy(own.labels)
    for step, batch in enumerate(own.batches):
        loss = nn.functional.cross_entropy(module(data.train_inputs[batch]), labels[batch])
        if step in training.snapshots:
            found.append({name: value.numpy().copy() for name, value in module.state_dict().items()})
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
    training = Training(batch_size=16, snapshots=SNAPSHOTS)
    runs = runs_of(architecture, 3)
    together = train_stack(runs, load_dataset("digits"), training)
    assert [(found.run, found.step) for found in together] == list(itertools.product(runs, SNAPSHOTS))
    alone = [found for run in runs for found in train_alone(run, training)]
    for ours, theirs in zip(together, alone, strict=True):
        assert list(ours.tensors) == [name for name in theirs if not name.endswith("num_batches_tracked")]
        for name, values in ours.tensors.items():
            if ours.step and name in without_gradient(architecture):
                continue
            record_property(
                "stacked training, difference to training alone", float(np.abs(values - theirs[name]).max())
            )
            np.testing.assert_allclose(values, theirs[name], atol=1e-4, err_msg=name)
    assert np.abs(together[1].tensors["1.weight" if "cnn" in architecture.label else "0.weight"]).max() > 0.05


def test_a_run_does_not_depend_on_what_else_is_trained():
    training, data = Training(snapshots=(10,)), load_dataset("digits")
    few, many = (train_stack(runs_of(ARCHITECTURES[0], count), data, training) for count in (1, 9))
    for name, values in few[0].tensors.items():
        np.testing.assert_allclose(values, many[0].tensors[name], atol=1e-5)
        assert np.abs(values - many[1].tensors[name]).max() > 0.01


@pytest.mark.parametrize("learning_rate", [1e6, 1e20])
def test_a_run_that_diverges_is_frozen_where_it_was_finite_and_the_others_go_on(learning_rate):
    training, data, runs = Training(snapshots=(2, 6)), load_dataset("digits"), runs_of(ARCHITECTURES[0], 3)
    wild = runs_of(ARCHITECTURES[0], 3, Ranges(learning_rate=(learning_rate, learning_rate)))[1]
    found = train_stack([runs[0], wild, runs[2]], data, training)
    assert [(entry.run.number, entry.step) for entry in found] == [(0, 2), (0, 6), (1, 0), (2, 2), (2, 6)]
    assert [entry.diverged_at for entry in found] == [None, None, 1, None, None]
    assert all(np.isfinite(values).all() for entry in found for values in entry.tensors.values())
    undisturbed = train_stack(runs, data, training)
    for ours, theirs in zip([*found[:2], *found[3:]], [*undisturbed[:2], *undisturbed[4:]], strict=True):
        for name, values in ours.tensors.items():
            np.testing.assert_array_equal(values, theirs.tensors[name])


def test_a_run_that_diverges_late_ends_in_its_last_snapshot():
    decay = Ranges(learning_rate=(0.5, 0.5), weight_decay=(8.0, 8.0))  # every step triples the weights and turns them
    training, data = Training(snapshots=(0, 1, 50)), load_dataset("digits")
    for architecture in (ARCHITECTURES[0], ARCHITECTURES[4]):
        first, last = train_stack(runs_of(architecture, 1, decay), data, training)
        assert (first.step, first.diverged_at, last.step) == (0, None, 1)
        assert 1 < last.diverged_at < 50
        assert all(np.isfinite(values).all() for values in last.tensors.values())


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
    run = runs_of(Architecture(kind="mlp", hidden=(64,)), 1)[0]
    weights = draw_weights(run, {"0.weight": (400, 64), "0.bias": (400,), "1.weight": (7,), "1.bias": (7,)})
    expected = run.hyperparameters["init_scale"] * (2 / 64) ** 0.5
    assert weights["0.weight"].std() == pytest.approx(expected, rel=0.02)
    assert (weights["0.bias"].max(), weights["1.weight"].min(), weights["1.bias"].max()) == (0, 1, 0)


def test_one_value_that_is_not_finite_is_found_in_its_network():
    flat = Flat({"a": (2, 3), "b": (4,)}, 5)
    assert flat.are_finite().all()
    flat.views["b"][2, 1], flat.views["a"][4, 0, 0] = torch.inf, torch.nan
    assert flat.are_finite().tolist() == [True, True, False, True, False]
    flat.copy_models(flat.like(), torch.tensor([False, False, True, False, True]))
    assert flat.are_finite().all()
