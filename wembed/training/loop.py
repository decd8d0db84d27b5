"""The training loop: epochs of pairs, the best epoch by validation loss, an early stop.

It knows a module only by what it makes of stacks: vectors, and accuracies read off them.
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
from wembed.training.pool import Part, Stack, draw_batches, draw_pairs

_ACCURACY_WEIGHT = 10.0  # of a nat of divergence beside a nat of InfoNCE
_CLIP = 1.0  # norm of the gradient
_WARM_UP = 0.1  # share of the steps
_PROBE_RATE = 5.0  # learned inputs lie on another scale than weights
_VALIDATION_DRAWS = 4  # pairs per run, the same in every epoch


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
        module: from networks to embeddings [B, D], with a `head` that reads logits of accuracies off embeddings.
        stacks: what on.
        options: how.
        report: told after every epoch.
    """
    generator = np.random.default_rng([options.seed, 1])
    optimizer = torch.optim.AdamW(_groups(module, options.learning_rate), weight_decay=options.weight_decay)
    schedule = _schedule(optimizer, options, len(draw_batches(stacks.train, options.batch_size, generator)))
    history: list[Epoch] = []
    best = copy.deepcopy(module.state_dict())
    start = time.perf_counter()
    for number in range(1, options.num_epochs + 1):
        train = _train_epoch(module, stacks.train, options, generator, optimizer, schedule)
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


def _train_epoch(
    module: nn.Module,
    stacks: Sequence[Stack],
    options: TrainOptions,
    generator: np.random.Generator,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> _Loss:
    module.train()
    found = []
    for parts in draw_batches(stacks, options.batch_size, generator):
        apart, misread = _losses(module, stacks, parts, options.temperature, generator)
        optimizer.zero_grad()
        (apart + _ACCURACY_WEIGHT * misread).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        found.append((apart.item(), misread.item()))
    return _Loss(*np.mean(found, 0).tolist())


def _validate(module: nn.Module, stacks: Sequence[Stack], options: TrainOptions) -> _Loss:
    """The same pairs every time."""
    module.eval()
    generator = np.random.default_rng([options.seed, 2])
    found = []
    with torch.inference_mode():
        for _ in range(_VALIDATION_DRAWS):
            for parts in draw_batches(stacks, options.batch_size, generator):
                found.append([loss.item() for loss in _losses(module, stacks, parts, options.temperature, generator)])
    return _Loss(*np.mean(found, 0).tolist())


def _losses(
    module: nn.Module,
    stacks: Sequence[Stack],
    parts: Sequence[Part],
    temperature: float,
    generator: np.random.Generator,
) -> list[Tensor]:
    """InfoNCE and the divergence of accuracies over one batch of runs."""
    firsts, seconds, accuracy = [], [], []
    for part in parts:
        pairs = draw_pairs(stacks[part.stack], part.runs, generator)
        first, second = module(pairs.networks).chunk(2)
        firsts.append(first)
        seconds.append(second)
        accuracy.append(pairs.accuracy.view(2, -1))
    vectors = torch.cat([*firsts, *seconds])
    logits = module.head(vectors)  # type: ignore[operator]
    return [contrastive(vectors, temperature), accuracy_divergence(logits, torch.cat(accuracy, 1).flatten())]


def _groups(module: nn.Module, rate: float) -> list[dict[str, object]]:
    """Learned inputs have a larger rate and no decay."""
    inputs = [value for name, value in module.named_parameters() if name.startswith("probes.inputs")]
    others = [value for value in module.parameters() if all(value is not known for known in inputs)]
    faster = [{"params": inputs, "lr": _PROBE_RATE * rate, "weight_decay": 0.0}] if inputs else []
    return [{"params": others, "lr": rate}, *faster]


def _schedule(
    optimizer: torch.optim.Optimizer, options: TrainOptions, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """A short warm-up, then half a cosine."""
    total = max(1, options.num_epochs * batches)

    def factor(step: int) -> float:
        done = (step + 1) / total
        return (
            done / _WARM_UP if done < _WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _last_best(history: Sequence[Epoch]) -> int:
    return max((epoch.epoch for epoch in history if epoch.best), default=0)
