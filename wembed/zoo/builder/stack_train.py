"""Runs of one group in; their weights after some steps out, all trained at once by AdamW.

A network whose loss or weights leave the finite numbers is frozen at the last step that was finite; the others go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wembed.models import Dataset
from wembed.zoo.builder.manifest import Training
from wembed.zoo.builder.runs import Run, draw_data, draw_weights
from wembed.zoo.builder.stack_model import Flat, StackedModel

DIVERGED_LOSS = 1e6  # nats: Adam's steps are bounded, so that a lost network may stay finite for ever
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True)
class Snapshot:
    """A run's network after some steps.

    Args:
        run: the run.
        step: how many updates it has had.
        tensors: its weights and running statistics, all finite.
        diverged_at: the step at which the run diverged, if this is the last that is left of it.
    """

    run: Run
    step: int
    tensors: dict[str, NDArray[np.float32]]
    diverged_at: int | None = None


def train_stack(
    runs: Sequence[Run], dataset: Dataset, training: Training, on_step: Callable[[int], None] = lambda step: None
) -> list[Snapshot]:
    """Trains the runs of one group at once.

    Args:
        runs: of one group.
        dataset: that of the group.
        training: how.
        on_step: told after every step how many there were.

    Returns:
        The snapshots of the first run in the order of their steps, then of the second, and so on.
    """
    stack = _Stack.start(runs, dataset, training)
    for step in range(training.steps + 1):
        losses = stack.losses(step)
        is_last = step == training.steps
        if not is_last:
            losses.sum().backward()  # type: ignore[no-untyped-call]
        stack.freeze(losses.detach(), step)
        if step in training.snapshots:
            stack.take_snapshots(step)
        if not is_last:
            stack.update(step + 1)
        on_step(step)
    return stack.finished()


@dataclass
class _Stack:
    """Runs while they are trained.

    `safe` holds the values before the latest update, which were finite and had a finite loss.
    """

    runs: Sequence[Run]
    inputs: Tensor  # [N, F]
    labels: Tensor  # [M, N]
    batches: Tensor  # [steps, M, B]
    model: StackedModel
    rates: Tensor  # learning rate per element of the weights
    keeps: Tensor  # one less learning rate times weight decay per element
    means: Flat
    squares: Flat
    scratch: tuple[Tensor, Tensor]
    safe: tuple[Flat, Flat]
    active: Tensor  # [M], not diverged
    diverged_at: dict[int, int] = field(default_factory=dict)
    snapshots: list[list[Snapshot]] = field(default_factory=list)

    @classmethod
    def start(cls, runs: Sequence[Run], dataset: Dataset, training: Training) -> "_Stack":
        template = runs[0].group.architecture.build(dataset.shape, dataset.classes)
        shapes = {name: tuple(value.shape) for name, value in template.named_parameters()}
        model = StackedModel(template, [draw_weights(run, shapes) for run in runs])
        data = [draw_data(run, dataset, training.steps + 1, training.batch_size) for run in runs]
        rates = torch.tensor([run.hyperparameters["learning_rate"] for run in runs])
        decays = rates * torch.tensor([run.hyperparameters["weight_decay"] for run in runs])
        return cls(
            runs=runs,
            inputs=dataset.train_inputs,
            labels=torch.from_numpy(np.stack([entry.labels for entry in data])),
            batches=torch.from_numpy(np.stack([entry.batches for entry in data], axis=1)),
            model=model,
            rates=model.weights.spread(rates),
            keeps=model.weights.spread(1 - decays),
            means=model.weights.like(),
            squares=model.weights.like(),
            scratch=(model.weights.like().buffer, model.weights.like().buffer),
            safe=(model.weights.like(), model.statistics.like()),
            active=torch.ones(len(runs), dtype=torch.bool),
            snapshots=[[] for _ in runs],
        )

    def losses(self, step: int) -> Tensor:
        """The mean cross entropy of every network on its own batch, [M]."""
        chosen = self.batches[step]  # [M, B]
        inputs = self.inputs.index_select(0, chosen.flatten()).view(*chosen.shape, -1)  # [M, B, F]
        logits = self.model.forward(inputs.mT)  # [M, classes, B]
        return functional.cross_entropy(logits, self.labels.gather(1, chosen), reduction="none").mean(1)

    @torch.no_grad()
    def freeze(self, losses: Tensor, step: int) -> None:
        """Puts networks that have diverged back to what they were a step ago, for good; remembers the others."""
        fine = (losses < DIVERGED_LOSS) & self.model.weights.are_finite() & self.model.statistics.are_finite()
        lost = self.active & ~fine
        if lost.any():
            self.active &= fine
            self.diverged_at |= {int(model): step for model in lost.nonzero().flatten()}
        if not self.active.all():
            self._hold(~self.active)
        self.safe[0].copy_from(self.model.weights)
        self.safe[1].copy_from(self.model.statistics)

    def take_snapshots(self, step: int) -> None:
        """Keeps what the networks are now; of those that have diverged nothing."""
        for model, run in enumerate(self.runs):
            if self.active[model]:
                tensors = self.model.tensors_of(model, *self.safe)
                self.snapshots[model].append(Snapshot(run, step, tensors))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """One step of AdamW (Loshchilov and Hutter, arXiv 1711.05101), each network at its own rate."""
        weights, gradient = self.model.weights.buffer, self.model.weights.gradient
        means, squares = self.means.buffer, self.squares.buffer
        means.lerp_(gradient, 1 - _BETAS[0])
        squares.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        change, deviation = self.scratch
        torch.sqrt(squares, out=deviation).mul_((1 - _BETAS[1] ** step) ** -0.5).add_(_EPSILON)
        torch.mul(means, self.rates, out=change)
        weights.mul_(self.keeps).addcdiv_(change, deviation, value=-1 / (1 - _BETAS[0] ** step))
        gradient.zero_()

    def finished(self) -> list[Snapshot]:
        """All snapshots; a run that has diverged ends in one that says so."""
        for model, step in self.diverged_at.items():
            kept, run = self.snapshots[model], self.runs[model]
            last = kept.pop() if kept else Snapshot(run, step - 1, self.model.tensors_of(model, *self.safe))
            kept.append(Snapshot(run, last.step, last.tensors, diverged_at=step))
        return [snapshot for kept in self.snapshots for snapshot in kept]

    def _hold(self, frozen: Tensor) -> None:
        self.model.weights.copy_models(self.safe[0], frozen)
        self.model.statistics.copy_models(self.safe[1], frozen)
        held = self.model.weights.spread(frozen)
        for values in (self.model.weights.gradient, self.means.buffer, self.squares.buffer, self.rates):
            values.masked_fill_(held, 0.0)
        self.keeps.masked_fill_(held, 1.0)
