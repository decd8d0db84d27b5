"""Trainees of one plain chain in; what they are after some steps out, all of them trained at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wembed.device import to_device
from wembed.models import Architecture, Dataset
from wembed.zoo.builder.training.stack_model import StackedModel
from wembed.zoo.builder.training.trainee import DIVERGED_LOSS, OnStep, Trained, Trainee


def train_stacked(
    trainees: Sequence[Trainee],
    architecture: Architecture,
    dataset: Dataset,
    snapshots: tuple[int, ...],
    on_step: OnStep,
    device: str,
) -> list[Trained]:
    """Trains networks whose layers can be computed for all of them at once; see `train`."""
    template = architecture.build(dataset.shape, dataset.classes)
    assert isinstance(template, nn.Sequential)
    stack = _Stack.start(trainees, template, dataset, snapshots[-1], device)
    for step in range(snapshots[-1] + 1):
        statistics = stack.model.copied_statistics() if step in snapshots else {}
        loss = stack.loss(step)
        if step in snapshots:
            stack.keep(stack.going_on, step, statistics)
        if step == snapshots[-1]:
            break
        stack.update(loss)
        stack.stop_what_changed_enough(step + 1)
        if not stack.going_on:
            break
        on_step((step + 1) * len(trainees))
    return stack.finished()


@dataclass
class _Stack:
    """Networks while they are trained.

    The optimiser moves parameters in units of each network's learning rate, so that one rate, 1, serves all: Adam's
    step of a weight divided by its rate is the same for every rate. The decay before it is done here.
    """

    trainees: Sequence[Trainee]
    inputs: Tensor  # [N, F]
    labels: Tensor  # [M, N] or [M, N, classes]
    batches: Tensor  # [steps + 1, M, B]
    model: StackedModel
    rates: list[Tensor]  # learning rates [M, 1...], per parameter
    decays: list[Tensor]  # what is left of a parameter after a step's weight decay, likewise
    in_rates: list[nn.Parameter]  # the parameters divided by the rates
    optimiser: torch.optim.Optimizer
    starts: dict[str, Tensor]  # the weights of networks that stop at a change
    losses: Tensor  # [steps + 1, M]
    going_on: list[int]  # the networks that have not been stopped
    kept: list[list[Trained]]
    lost: dict[int, int] = field(default_factory=dict)  # the step at which a network diverged

    @classmethod
    def start(
        cls, trainees: Sequence[Trainee], template: nn.Sequential, dataset: Dataset, steps: int, device: str
    ) -> "_Stack":
        model = StackedModel(template, [trainee.start for trainee in trainees], device)
        rate = torch.tensor([trainee.learning_rate for trainee in trainees], device=device)
        decay = 1 - rate * torch.tensor([trainee.weight_decay for trainee in trainees], device=device)
        parameters = list(model.parameters.values())
        rates, decays = ([_along(each, value) for value in parameters] for each in (rate, decay))
        in_rates = [nn.Parameter(value.detach() / rate) for value, rate in zip(parameters, rates, strict=True)]
        stop = any(trainee.until is not None for trainee in trainees)
        weights = {name: value.detach().clone() for name, value in model.parameters.items() if value.dim() > 2}
        return cls(
            trainees=trainees,
            inputs=to_device(dataset.train_inputs, device),
            labels=to_device(torch.from_numpy(np.stack([trainee.labels for trainee in trainees])), device),
            batches=to_device(torch.from_numpy(np.stack([trainee.batches for trainee in trainees], axis=1)), device),
            model=model,
            rates=rates,
            decays=decays,
            in_rates=in_rates,
            optimiser=torch.optim.AdamW(in_rates, lr=1.0, weight_decay=0.0, fused=True),
            starts=weights if stop else {},
            losses=torch.zeros(steps + 1, len(trainees), device=device),
            going_on=list(range(len(trainees))),
            kept=[[] for _ in trainees],
        )

    def loss(self, step: int) -> Tensor:
        """The mean cross entropy of every network on its own batch, [M]."""
        chosen = self.batches[step]  # [M, B]
        inputs = self.inputs.index_select(0, chosen.flatten()).view(*chosen.shape, -1)  # [M, B, F]
        logits = self.model.forward(inputs.mT)  # [M, classes, B]
        loss = functional.cross_entropy(logits, self._targets(chosen), reduction="none").mean(1)
        self.losses[step] = loss.detach()
        return loss

    def update(self, loss: Tensor) -> None:
        """One step of AdamW, each network at its own rate."""
        loss.sum().backward()  # type: ignore[no-untyped-call]
        parameters = self.model.parameters.values()
        for value, in_rates, decay in zip(parameters, self.in_rates, self.decays, strict=True):
            in_rates.grad, value.grad = value.grad, None
            in_rates.data.mul_(decay)
        self.optimiser.step()
        for value, in_rates, rate in zip(parameters, self.in_rates, self.rates, strict=True):
            torch.mul(in_rates.data, rate, out=value.data)

    def keep(self, models: Sequence[int], step: int, statistics: Mapping[str, Tensor]) -> None:
        """Keeps what some networks are after a step, with their statistics then; of diverged ones nothing."""
        fine = self.losses[: step + 1] < DIVERGED_LOSS  # [steps, M]; a loss that is no number is not below
        whole = fine.all(0)
        for value in (*self.model.parameters.values(), *statistics.values()):
            whole &= value.detach().isfinite().flatten(1).all(1)
        for model in models:
            if whole[model]:
                self.kept[model].append(Trained(model, step, self.model.tensors_of(model, statistics)))
            elif model not in self.lost:
                self.lost[model] = [*fine[:, model].tolist(), False].index(False)

    @torch.no_grad()
    def stop_what_changed_enough(self, step: int) -> None:
        """Keeps the networks that have changed as much as they should, for good."""
        if not self.starts:
            return
        now = {name: self.model.parameters[name] for name in self.starts}
        moved = sum((now[name] - start).square().flatten(1).sum(1) for name, start in self.starts.items())
        length = sum(start.square().flatten(1).sum(1) for start in self.starts.values())
        changes = torch.as_tensor(moved / length).sqrt().tolist()
        limits = [np.inf if trainee.until is None else trainee.until for trainee in self.trainees]
        stopped = [model for model in self.going_on if changes[model] >= limits[model]]
        if stopped:
            self.keep(stopped, step, self.model.statistics)
            self.going_on = [model for model in self.going_on if model not in stopped]

    def finished(self) -> list[Trained]:
        """All that was kept; a network that has diverged ends in one that says so."""
        for model, step in self.lost.items():
            kept, start = self.kept[model], dict(self.trainees[model].start)
            last = kept.pop() if kept else Trained(model, 0, start)
            kept.append(Trained(model, last.step, last.tensors, diverged_at=step))
        return [trained for kept in self.kept for trained in kept]

    def _targets(self, chosen: Tensor) -> Tensor:
        """Labels [M, B], or what the teachers say [M, classes, B]."""
        if self.labels.dim() == 2:
            return self.labels.gather(1, chosen)
        return self.labels[torch.arange(len(chosen), device=chosen.device)[:, None], chosen].mT


def _along(values: Tensor, parameter: Tensor) -> Tensor:
    """One value per network [M], with as many axes as a parameter [M, ...]."""
    return values.view(-1, *[1] * (parameter.dim() - 1))
