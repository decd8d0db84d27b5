"""A group and a seed in; its runs and their twins, each with all that it draws, out.

Whatever a run draws follows from the seed and the run's name alone, so that it does not matter what else is built. A
twin draws some things as the run does whose twin it is.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from wembed.models import IGNORED, Dataset, ModelDescription, initial_state
from wembed.zoo.builder.lineage.twins import Draw, Twin, twin_draws
from wembed.zoo.builder.manifest import Group, Ranges
from wembed.zoo.builder.training import Trainee

_LOGARITHMIC = ("learning_rate", "weight_decay")
_FEWEST_PER_CLASS = 2  # inputs that a run sees at least, unless that is very many
_FEWEST = 64
_DIGITS = 5  # significant ones of a hyperparameter, so that people can read it


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        group: which network on which data set.
        number: within its group.
        seed: of the build.
        twin: what it has of its own, if it is a twin of the run of that number; the others' draws are shared.
        twin_number: among that run's twins of that kind.
    """

    group: Group
    number: int
    seed: int
    twin: Twin | None = None
    twin_number: int = 0

    @property
    def name(self) -> str:
        """What its checkpoints' ids begin with."""
        return self._base if self.twin is None else f"{self._base}-twin-{self.twin}-{self.twin_number}"

    @property
    def dataset(self) -> str:
        """The name of the data set that it learns."""
        return self.group.dataset

    @property
    def _base(self) -> str:
        return f"{self.group.name}-{self.number:03d}"

    def generator(self, purpose: Draw) -> np.random.Generator:
        """The run's randomness for one purpose."""
        return np.random.default_rng(np.frombuffer(self._digest(purpose), np.uint32))

    def draw_id(self, purpose: Draw) -> str:
        """Names what the run draws for a purpose; only its twins draw something of that name."""
        return self._digest(purpose).hex()[:16]

    @cached_property
    def hyperparameters(self) -> dict[str, float]:
        """What the run has drawn from the ranges, by name."""
        generator = self.generator("hyperparameters")
        drawn = {}
        for name in Ranges.model_fields:
            low, high = getattr(self.group.hyperparameters, name)
            if name in _LOGARITHMIC:
                value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
            else:
                value = float(generator.uniform(low, high))
            drawn[name] = min(max(float(f"{value:.{_DIGITS}g}"), low), high)
        return drawn

    def _digest(self, purpose: Draw) -> bytes:
        is_own = self.twin is None or purpose in twin_draws(self.twin)
        return hashlib.sha256(f"{self.seed} {self.name if is_own else self._base} {purpose}".encode()).digest()


@dataclass(frozen=True)
class RunData:
    """What a run is trained on.

    Args:
        subset: [S] which of the training inputs it sees, ascending.
        labels: [N] of all training inputs, for text [N, T]; those of the subset partly wrong.
        batches: [steps, B] which inputs each step takes: the subset in a new order every time it is through.
    """

    subset: NDArray[np.int64]
    labels: NDArray[np.int64]
    batches: NDArray[np.int64]


def draw_data(run: Run, dataset: Dataset, batches: int, batch_size: int) -> RunData:
    """What a run is trained on: its share of the training set, its wrong labels, its order.

    Args:
        run: which draws.
        dataset: to draw from.
        batches: how many.
        batch_size: inputs in each.
    """
    known = len(dataset.train_labels)
    share = round(run.hyperparameters["train_fraction"] * known)
    fewest = min(_FEWEST, _FEWEST_PER_CLASS * dataset.classes)
    size = min(known, max(share, fewest))
    subset = np.sort(run.generator("subset").choice(known, size, replace=False))
    return RunData(
        subset, _noisy_labels(run, dataset, subset), draw_batches(run.generator("order"), subset, batches, batch_size)
    )


def draw_weights(run: Run, description: ModelDescription) -> dict[str, NDArray[np.float32]]:
    """The initial weights, and running statistics of mean 0 and variance 1.

    In a plain chain they are normal with deviation init_scale * sqrt(2 / fan_in), norms at one and biases at zero;
    elsewhere the weights of two axes or more are init_scale times what the architecture itself begins with.

    Args:
        run: which draws.
        description: what builds its network.
    """
    generator, scale = run.generator("init"), run.hyperparameters["init_scale"]
    if not run.group.architecture.stackable:
        begun = initial_state(description, int(generator.integers(2**31)))
        return {name: value * np.float32(scale if value.ndim > 1 else 1.0) for name, value in begun.items()}
    with torch.device("meta"):
        state = description.build().state_dict().items()
    shapes = {name: tuple(value.shape) for name, value in state if value.is_floating_point()}
    drawn = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            deviation = scale * np.sqrt(2 / np.prod(shape[1:]))
            drawn[name] = (deviation * generator.standard_normal(shape)).astype(np.float32)
        else:
            drawn[name] = np.full(shape, 1.0 if name.endswith(("weight", "running_var")) else 0.0, np.float32)
    return drawn


def describe_model(group: Group, dataset: Dataset) -> ModelDescription:
    """What rebuilds a network of a group on a data set."""
    return ModelDescription(architecture=group.architecture, shape=dataset.shape, classes=dataset.classes)


def trainee_of(run: Run, dataset: Dataset) -> Trainee:
    """A run as it is about to be trained."""
    training, drawn = run.group.training, run.hyperparameters
    data = draw_data(run, dataset, training.steps + 1, training.batch_size)
    start = draw_weights(run, describe_model(run.group, dataset))
    return Trainee(run.name, start, data.labels, data.batches, drawn["learning_rate"], drawn["weight_decay"])


def plan_runs(group: Group, seed: int) -> list[Run]:
    """The runs of a group."""
    return [Run(group, number, seed) for number in range(group.runs)]


def plan_twins(group: Group, seed: int) -> list[Run]:
    """The twins of a group's runs."""
    return [
        Run(group, number, seed, twin, twin_number)
        for number in range(group.runs)
        for twin in get_args(Twin)
        for twin_number in range(getattr(group.twins, twin))
    ]


def _noisy_labels(run: Run, dataset: Dataset, subset: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels [N] or [N, T]; a share of the subset's are moved to one of the other classes."""
    generator, labels = run.generator("noise"), dataset.train_labels.numpy().copy()
    wrong = generator.permutation(subset)[: round(run.hyperparameters["label_noise"] * len(subset))]
    moved = (labels[wrong] + generator.integers(1, dataset.classes, labels[wrong].shape)) % dataset.classes
    labels[wrong] = np.where(labels[wrong] == IGNORED, IGNORED, moved)
    return labels


def draw_batches(
    generator: np.random.Generator, subset: NDArray[np.int64], batches: int, batch_size: int
) -> NDArray[np.int64]:
    """Batches [batches, batch_size] of a subset, in a new order every time it is through."""
    needed = batches * batch_size
    rounds = [generator.permutation(subset) for _ in range(-(-needed // len(subset)))]
    return np.concatenate(rounds)[:needed].reshape(batches, batch_size)
