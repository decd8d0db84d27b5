"""A manifest and a seed in; its runs, each with all that it draws, out.

Whatever a run draws follows from the seed and the run's name alone, so that it does not matter what else is built.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wembed.models import Dataset
from wembed.zoo.builder.manifest import BuildManifest, Group, Ranges

_Purpose = Literal["hyperparameters", "init", "subset", "noise", "order"]

_LOGARITHMIC = ("learning_rate", "weight_decay")
_FEWEST_PER_CLASS = 2  # inputs that a run sees at least
_DIGITS = 5  # significant ones of a hyperparameter, so that people can read it


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        group: which network on which data set.
        number: within its group.
        seed: of the build.
        ranges: what its hyperparameters are drawn from.
    """

    group: Group
    number: int
    seed: int
    ranges: Ranges

    @property
    def name(self) -> str:
        """What its checkpoints' ids begin with."""
        return f"{self.group.name}-{self.number:03d}"

    def generator(self, purpose: _Purpose) -> np.random.Generator:
        """The run's own randomness for one purpose."""
        return np.random.default_rng(np.frombuffer(self._digest(purpose), np.uint32))

    def draw_id(self, purpose: _Purpose) -> str:
        """Names what the run draws for a purpose; nothing else that is ever drawn has that name."""
        return self._digest(purpose).hex()[:16]

    @cached_property
    def hyperparameters(self) -> dict[str, float]:
        """What the run has drawn from the ranges, by name."""
        generator = self.generator("hyperparameters")
        drawn = {}
        for name in Ranges.model_fields:
            low, high = getattr(self.ranges, name)
            if name in _LOGARITHMIC:
                value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
            else:
                value = float(generator.uniform(low, high))
            drawn[name] = min(max(float(f"{value:.{_DIGITS}g}"), low), high)
        return drawn

    def _digest(self, purpose: _Purpose) -> bytes:
        return hashlib.sha256(f"{self.seed} {self.name} {purpose}".encode()).digest()


@dataclass(frozen=True)
class RunData:
    """What a run is trained on.

    Args:
        subset: [S] which of the training inputs it sees, ascending.
        labels: [N] of all training inputs; those of the subset partly wrong.
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
    size = min(known, max(share, _FEWEST_PER_CLASS * dataset.classes))
    subset = np.sort(run.generator("subset").choice(known, size, replace=False))
    return RunData(subset, _noisy_labels(run, dataset, subset), _order(run, subset, batches, batch_size))


def draw_weights(run: Run, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """The initial weights: normal with deviation init_scale * sqrt(2 / fan_in), norms at one, biases at zero."""
    generator, drawn = run.generator("init"), {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            deviation = run.hyperparameters["init_scale"] * np.sqrt(2 / np.prod(shape[1:]))
            drawn[name] = (deviation * generator.standard_normal(shape)).astype(np.float32)
        else:
            drawn[name] = np.full(shape, 1.0 if name.endswith("weight") else 0.0, np.float32)
    return drawn


def plan_runs(manifest: BuildManifest, seed: int) -> dict[str, list[Run]]:
    """The runs of every group, by the group's name."""
    return {
        group.name: [Run(group, number, seed, manifest.hyperparameters) for number in range(group.runs)]
        for group in manifest.groups
    }


def _noisy_labels(run: Run, dataset: Dataset, subset: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels [N]; a share of the subset's are moved to one of the other classes."""
    generator, labels = run.generator("noise"), dataset.train_labels.numpy().copy()
    wrong = generator.permutation(subset)[: round(run.hyperparameters["label_noise"] * len(subset))]
    labels[wrong] = (labels[wrong] + generator.integers(1, dataset.classes, len(wrong))) % dataset.classes
    return labels


def _order(run: Run, subset: NDArray[np.int64], batches: int, batch_size: int) -> NDArray[np.int64]:
    generator, needed = run.generator("order"), batches * batch_size
    rounds = [generator.permutation(subset) for _ in range(-(-needed // len(subset)))]
    return np.concatenate(rounds)[:needed].reshape(batches, batch_size)
