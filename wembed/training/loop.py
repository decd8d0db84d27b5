"""The training loop: epochs of pairs and of labelled networks, the best epoch by validation loss, an early stop.

It knows a module only by what it makes of networks: vectors, which shall be alike for two views of one run, and logits
of accuracies.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wembed.training.objectives import accuracy_divergence, contrastive
from wembed.training.options import TrainOptions
from wembed.training.pool import Labelled, Part, Stack, draw_batches, draw_labelled, draw_pairs, unchanged

_ACCURACY_WEIGHT = 10.0  # of a nat of divergence beside a nat of InfoNCE
_CLIP = 1.0  # norm of the gradient
_WARM_UP = 0.1  # share of the steps
_PROBE_RATE = 5.0  # learned inputs lie on another scale than weights
_VALIDATION_DRAWS = 4  # pairs per run, the same in every epoch
_LABELLED = 32  # networks per step towards their accuracies


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; losses in nats.

    Args:
        epoch: from 1.
        contrastive: mean InfoNCE over the training runs.
        accuracy: mean divergence of accuracies over them.
        validation_contrastive: the same over the validation runs.
        validation_accuracy: the same over them.
        validation_loss: both, as training weighs them: what the best epoch is chosen by.
        seconds: since the start.
        best: whether no epoch before it had a smaller validation loss.
    """

    epoch: int
    contrastive: float
    accuracy: float
    validation_contrastive: float
    validation_accuracy: float
    validation_loss: float
    seconds: float
    best: bool


@dataclass(frozen=True)
class Stacks:
    """What is trained on, and what the best epoch is chosen by.

    Args:
        train: networks of the training runs.
        validation: networks of the validation runs.
    """

    train: Sequence[Stack]
    validation: Sequence[Stack]


def fit(module: nn.Module, stacks: Stacks, options: TrainOptions, report: Callable[[Epoch], None]) -> list[Epoch]:
    """Trains a module in place and leaves it with the weights of its best epoch.

    Args:
        module: from networks to embeddings [B, D], with `accuracy_logits` of networks, and `after_epoch`.
        stacks: what on.
        options: how.
        report: told after every epoch.
    """
    generator = np.random.default_rng([options.seed, 1])
    optimizer = torch.optim.AdamW(_groups(module, options.learning_rate), weight_decay=options.weight_decay)
    schedule = _schedule(optimizer, options.num_epochs * _steps(stacks.train, options))
    history: list[Epoch] = []
    best = copy.deepcopy(module.state_dict())
    start = time.perf_counter()
    _prepare(module, stacks.train)
    for number in range(1, options.num_epochs + 1):
        train = _train_epoch(module, stacks.train, options, generator, optimizer, schedule)
        _prepare(module, stacks.train)
        validation = _validate(module, stacks.validation, options)
        if not math.isfinite(validation.total):
            break
        is_best = validation.total < min((past.validation_loss for past in history), default=math.inf)
        if is_best:
            best = copy.deepcopy(module.state_dict())
        seconds = time.perf_counter() - start
        losses = (train.contrastive, train.accuracy, validation.contrastive, validation.accuracy)
        epoch = Epoch(number, *losses, validation.total, seconds, is_best)
        history.append(epoch)
        report(epoch)
        if number - _last_best(history) >= options.patience:
            break
    module.load_state_dict(best)
    module.eval()
    return history


@dataclass(frozen=True)
class _Loss:
    contrastive: float
    accuracy: float

    @property
    def total(self) -> float:
        return self.contrastive + _ACCURACY_WEIGHT * self.accuracy


def _prepare(module: nn.Module, stacks: Sequence[Stack]) -> None:
    """Shows a module all networks that are trained on, as they are."""
    module.eval()
    shown = [unchanged(stack) for stack in stacks]
    module.after_epoch([part.networks for part in shown], [part.accuracy for part in shown])  # type: ignore[operator]


def _train_epoch(
    module: nn.Module,
    stacks: Sequence[Stack],
    options: TrainOptions,
    generator: np.random.Generator,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> _Loss:
    """One pass over all runs in pairs, and one over all networks with their accuracies."""

    def step(loss: Tensor) -> float:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        return loss.item()

    module.train()
    batches = draw_batches(stacks, options.batch_size, generator)
    apart = [step(_apart(module, stacks, parts, options.temperature, generator)) for parts in batches]
    misread = [step(_misread(module, part)) for part in draw_labelled(stacks, _LABELLED, generator)]
    return _Loss(float(np.mean(apart)), float(np.mean(misread)))


def _validate(module: nn.Module, stacks: Sequence[Stack], options: TrainOptions) -> _Loss:
    """The same pairs every time, and all networks as they are."""
    module.eval()
    generator = np.random.default_rng([options.seed, 2])
    apart = []
    with torch.inference_mode():
        for _ in range(_VALIDATION_DRAWS):
            for parts in draw_batches(stacks, options.batch_size, generator):
                apart.append(_apart(module, stacks, parts, options.temperature, generator).item())
        misread = [_misread(module, unchanged(stack)).item() for stack in stacks]
    counts = [stack.count for stack in stacks]
    return _Loss(float(np.mean(apart)), float(np.average(misread, weights=counts)))


def _apart(
    module: nn.Module,
    stacks: Sequence[Stack],
    parts: Sequence[Part],
    temperature: float,
    generator: np.random.Generator,
) -> Tensor:
    """InfoNCE over one batch of runs."""
    pairs = [draw_pairs(stacks[part.stack], part.runs, generator) for part in parts]
    views = [module(networks).chunk(2) for networks in pairs]
    return contrastive(torch.cat([*(first for first, _ in views), *(second for _, second in views)]), temperature)


def _misread(module: nn.Module, part: Labelled) -> Tensor:
    """The divergence of the accuracies that are read off networks."""
    return accuracy_divergence(module.accuracy_logits(part.networks), part.accuracy)  # type: ignore[operator]


def _steps(stacks: Sequence[Stack], options: TrainOptions) -> int:
    """Steps per epoch."""
    generator = np.random.default_rng(0)
    labelled = sum(max(1, round(stack.count / _LABELLED)) for stack in stacks)
    return len(draw_batches(stacks, options.batch_size, generator)) + labelled


def _groups(module: nn.Module, rate: float) -> list[dict[str, object]]:
    """Learned inputs have a larger rate and no decay."""
    inputs = [value for name, value in module.named_parameters() if name.startswith("probes.inputs")]
    others = [value for value in module.parameters() if all(value is not known for known in inputs)]
    faster = [{"params": inputs, "lr": _PROBE_RATE * rate, "weight_decay": 0.0}] if inputs else []
    return [{"params": others, "lr": rate}, *faster]


def _schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """A short warm-up, then half a cosine."""

    def factor(step: int) -> float:
        done = (step + 1) / max(1, steps)
        return (
            done / _WARM_UP if done < _WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _last_best(history: Sequence[Epoch]) -> int:
    return max((epoch.epoch for epoch in history if epoch.best), default=0)
