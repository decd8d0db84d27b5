"""Building a zoo on a pretended CUDA device: networks trained together and alone, and fine-tuned, stay on it."""

from dataclasses import replace

import numpy as np
import pytest
from pretended import pretended_cuda

from wembed.models import CNN, MLP, Architecture, ResNet, load_dataset
from wembed.zoo.builder.manifest import Group, Ranges, Training
from wembed.zoo.builder.runs import Run, trainee_of
from wembed.zoo.builder.training import Trained, train

DEVICE = "cuda:0"
CHAINS = (MLP(hidden=(6,), norm="batch"), MLP(hidden=(5, 4), norm="layer"), CNN(hidden=(3,)))
ARCHITECTURES = (*CHAINS, ResNet(widths=(4,)))


def trained(architecture: Architecture, device: str, until: float | None = None) -> list[Trained]:
    training = Training(snapshots=(0, 4), batch_size=8)
    ranges = Ranges(learning_rate=(1e-3, 1e-2))
    group = Group(dataset="digits", architecture=architecture, runs=2, training=training, hyperparameters=ranges)
    data = load_dataset("digits")
    trainees = [replace(trainee_of(Run(group, number, 0), data), until=until) for number in range(2)]
    return train(trainees, architecture, data, training.snapshots, device=device)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda found: found.label)
@pytest.mark.parametrize("until", [None, 1e-3])
def test_networks_trained_on_a_device_are_those_trained_on_the_cpu(architecture, until, monkeypatch):
    expected = trained(architecture, "cpu", until)
    with pretended_cuda(monkeypatch):
        found = trained(architecture, DEVICE, until)
    assert [(each.trainee, each.step) for each in found] == [(each.trainee, each.step) for each in expected]
    for one, other in zip(found, expected, strict=True):
        for name, values in one.tensors.items():
            assert np.abs(values - other.tensors[name]).max() < 1e-5


@pytest.mark.parametrize("architecture", CHAINS, ids=lambda found: found.label)
def test_steps_of_networks_trained_together_wait_for_nothing(architecture, monkeypatch):
    def waits(steps: int) -> int:
        training = Training(snapshots=(steps,), batch_size=8)
        ranges = Ranges(learning_rate=(1e-3, 1e-2))
        group = Group(dataset="digits", architecture=architecture, runs=2, training=training, hyperparameters=ranges)
        data = load_dataset("digits")
        with pretended_cuda(monkeypatch) as mode:
            train([trainee_of(Run(group, 0, 0), data)], architecture, data, training.snapshots, device=DEVICE)
        return mode.waits.total()

    assert waits(2) == waits(5)
