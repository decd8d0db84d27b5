"""How much faster networks are trained together than one after the other, and whether they come out alike."""

import functools
import itertools
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch import nn

from wembed.device import available_cores, one_thread
from wembed.models import CNN, MLP, Architecture, ModelDescription, load_dataset, score
from wembed.zoo.builder.manifest import Group, Ranges, Training
from wembed.zoo.builder.pool import worker_environment
from wembed.zoo.builder.runs import Run, trainee_of
from wembed.zoo.builder.stacks import MOST_TOGETHER
from wembed.zoo.builder.training import Trainee, train

STEPS = 300
RANGES = Ranges(learning_rate=(1e-3, 1e-2), init_scale=(0.5, 1.5), train_fraction=(0.5, 1.0), label_noise=(0.0, 0.2))


def runs_of(architecture: Architecture, count: int) -> list[Run]:
    training = Training(snapshots=(STEPS,))
    group = Group(dataset="digits", architecture=architecture, runs=count, training=training, hyperparameters=RANGES)
    return [Run(group, number, 0) for number in range(count)]


def accuracy_of(architecture: Architecture, tensors: dict[str, np.ndarray]) -> float:
    data = load_dataset("digits")
    module = ModelDescription(architecture=architecture, shape=data.shape, classes=data.classes).build()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()}, strict=False)
    return score(module.eval(), data.test_inputs, data.test_labels).accuracy


def plain_loop(trainees: Sequence[Trainee], architecture: Architecture) -> list[dict[str, np.ndarray]]:
    """What people write: a module, an optimiser, a loop."""
    data, found = load_dataset("digits"), []
    for trainee in trainees:
        module = architecture.build(data.shape, data.classes)
        module.load_state_dict({name: torch.from_numpy(value) for name, value in trainee.start.items()}, strict=False)
        optimiser = torch.optim.AdamW(module.parameters(), trainee.learning_rate, weight_decay=trainee.weight_decay)
        labels, batches = torch.from_numpy(trainee.labels), torch.from_numpy(trainee.batches)
        for batch in batches[:STEPS]:
            loss = nn.functional.cross_entropy(module(data.train_inputs[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        found.append({name: value.numpy() for name, value in module.state_dict().items()})
    return found


@functools.cache
def trainees_of(architecture: Architecture, count: int) -> list[Trainee]:
    data = load_dataset("digits")
    return [trainee_of(run, data) for run in runs_of(architecture, count)]


def stacked(part: tuple[int, int], architecture: Architecture, count: int) -> list[dict[str, np.ndarray]]:
    trainees = trainees_of(architecture, count)[slice(*part)]
    with one_thread():
        return [found.tensors for found in train(trainees, architecture, load_dataset("digits"), (STEPS,))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "count", "at_least"), [(MLP(hidden=(32, 32)), 400, 30), (CNN(hidden=(8, 8, 8)), 200, 4)]
)
def test_networks_trained_together_are_many_times_faster_and_no_worse(architecture, count, at_least, record_property):
    cores, most = available_cores(), MOST_TOGETHER[architecture.kind]
    edges = np.linspace(0, count, -(-count // (most * cores)) * cores + 1).astype(int).tolist()
    parts = list(itertools.pairwise(edges))
    train_part = functools.partial(stacked, architecture=architecture, count=count)
    warm = functools.partial(train_part, (0, 1))  # imports, and draws what is common to both ways
    with worker_environment(), ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), warm) as pool:
        list(pool.map(time.sleep, [8] * cores))  # until all of them are there
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            ours = [found for part in pool.map(train_part, parts) for found in part]
            seconds.append(time.perf_counter() - begun)
        together = float(np.median(seconds))
    trainees = trainees_of(architecture, count)
    with one_thread():
        begun = time.perf_counter()
        theirs = plain_loop(trainees, architecture)
        alone = time.perf_counter() - begun
    accuracies = [[accuracy_of(architecture, tensors) for tensors in found] for found in (ours, theirs)]
    test = ks_2samp(*accuracies)
    means = [float(np.mean(found)) for found in accuracies]
    print(  # noqa: T201
        f"{count} {architecture.label}, {STEPS} steps: {count / together:.1f} and {count / alone:.2f} networks/s, "
        f"{alone / together:.1f} times; mean accuracy {means[0]:.4f} and {means[1]:.4f}, KS p {test.pvalue:.3f}"
    )
    record_property("a plain loop's time over that of stacked training", alone / together)
    assert abs(means[0] - means[1]) < 0.01
    assert test.pvalue > 0.01
    assert alone / together >= at_least
