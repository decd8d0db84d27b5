"""The training loop: epochs of pairs and of labelled networks, the best epoch by validation loss, an early stop.

It knows a module only by what it makes of networks: vectors, which shall be alike for relatives, and logits of
accuracies. What an epoch draws follows from the seed and its number, so a training can go on from any of them.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wembed.training.history import Epoch, last_best, smallest_loss
from wembed.training.optimizer import make_optimizer, set_rate
from wembed.training.options import TrainOptions
from wembed.training.pool import Pool, Progress
from wembed.training.state import State
from wembed.training.steps import Objective, Step, training_steps, validation_steps

_ACCURACY_WEIGHT = 10.0  # of a nat of divergence beside a nat of InfoNCE
_CLIP = 1.0  # norm of the gradient


@dataclass(frozen=True)
class Pools:
    """What is trained on, and what the best epoch is chosen by."""

    train: Pool
    validation: Pool


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Args:
        history: its epochs, with those before it was taken up again.
        stopped: where and by what it was stopped early, in words; "" where it was not.
    """

    history: list[Epoch]
    stopped: str


@dataclass(frozen=True)
class Fitting:
    """A training that runs.

    Args:
        module: from networks to embeddings [B, D], with `accuracy_logits` of networks, and `after_epoch`.
        pools: what it is trained on.
        options: how.
        optimizer: of the module's parameters.
        progress: told how many networks were trained on, of how many at most.
    """

    module: nn.Module
    pools: Pools
    options: TrainOptions
    optimizer: torch.optim.Optimizer
    progress: Progress


class NotFiniteError(ArithmeticError):
    """A loss or a gradient that is not finite; the message says which."""


def fit(
    module: nn.Module,
    pools: Pools,
    options: TrainOptions,
    state: State,
    keep: Callable[[State], None],
    progress: Progress,
) -> Fitted:
    """Trains a module in place and leaves it with the weights of its best epoch.

    A loss or a gradient that is not finite stops it; the best weights until then are kept.

    Args:
        module: see `Fitting`.
        pools: what on.
        options: how.
        state: from which it goes on; an empty one starts it.
        keep: told the state after every epoch.
        progress: see `Fitting`.
    """
    optimizer = make_optimizer(module, options)
    fitting = Fitting(module, pools, options, optimizer, progress)
    if state.history:
        module.load_state_dict(dict(state.module))
        optimizer.load_state_dict(dict(state.optimizer))
    else:
        _prepare(module, pools.train)
    history, stopped = state.history, ""
    while len(history) < options.num_epochs and len(history) - last_best(history) < options.patience:
        try:
            epoch = _epoch(fitting, history)
        except NotFiniteError as error:
            stopped = f"epoch {len(history) + 1}: {error}"
            break
        history = [*history, epoch]
        weights = copy.deepcopy(module.state_dict())
        state = State(history, weights, weights if epoch.best else state.best, optimizer.state_dict())
        keep(state)
    if history:
        module.load_state_dict(dict(state.best))
    module.eval()
    return Fitted(history, stopped)


@dataclass(frozen=True)
class _Done:
    """A step that was taken, with the norm of its gradient."""

    step: Step
    loss: float
    gradient: float = 0.0


@dataclass(frozen=True)
class _Losses:
    contrastive: float | None
    accuracy: float | None

    @classmethod
    def of(cls, steps: Sequence[_Done]) -> "_Losses":
        return cls(_mean_loss(steps, "contrastive"), _mean_loss(steps, "accuracy"))

    @property
    def total(self) -> float:
        return (self.contrastive or 0.0) + _ACCURACY_WEIGHT * (self.accuracy or 0.0)


def _epoch(fitting: Fitting, history: Sequence[Epoch]) -> Epoch:
    begun, number = time.perf_counter(), len(history) + 1
    steps = _train(fitting, number)
    pace = sum(len(done.step.numbers) for done in steps) / (time.perf_counter() - begun)
    _prepare(fitting.module, fitting.pools.train)
    trained, validation = _Losses.of(steps), _Losses.of(_validate(fitting))
    return Epoch(
        epoch=number,
        contrastive=trained.contrastive,
        accuracy=trained.accuracy,
        validation_contrastive=validation.contrastive,
        validation_accuracy=validation.accuracy,
        validation_loss=validation.total,
        learning_rate=fitting.optimizer.param_groups[0]["lr"],
        gradient_norm=float(np.mean([done.gradient for done in steps])),
        networks_per_second=pace,
        seconds=(history[-1].seconds if history else 0.0) + time.perf_counter() - begun,
        best=validation.total < smallest_loss(history),
    )


def _prepare(module: nn.Module, pool: Pool) -> None:
    """Shows a module all networks that are trained on, as they are; structures that no accuracy is known of are not."""
    module.eval()
    accuracies = [pool.accuracy[torch.from_numpy(stack.members).to(pool.accuracy.device)] for stack in pool.stacks]
    known = [number for number, accuracy in enumerate(accuracies) if accuracy.nan_to_num(0.0).any()]
    shown = [pool.unchanged(pool.stacks[number]) for number in known]
    module.after_epoch(shown, [accuracies[number] for number in known])  # type: ignore[operator]


def _train(fitting: Fitting, number: int) -> list[_Done]:
    options, pool = fitting.options, fitting.pools.train
    generator = np.random.default_rng([options.seed, 1, number])
    torch.manual_seed(int(generator.integers(2**31)))  # what the module drops
    fitting.module.train()
    steps = training_steps(pool, options, generator)
    networks = sum(len(step.numbers) for step in steps)
    seen, done = (number - 1) * networks, []
    for place, step in enumerate(steps, start=1):
        set_rate(fitting.optimizer, (number - 1 + (place - 0.5) / len(steps)) / options.num_epochs)
        done.append(_descend(fitting, step, generator))
        seen += len(step.numbers)
        fitting.progress(seen, options.num_epochs * networks)
    return done


def _descend(fitting: Fitting, step: Step, generator: np.random.Generator) -> _Done:
    """One step down the gradient."""
    module = fitting.module
    loss = step.loss(module, fitting.pools.train, fitting.options.temperature, generator)
    value = _checked(loss, f"the {step.objective} loss")
    fitting.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(module.parameters(), _CLIP)
    gradient = _checked(norm, f"the gradient of the {step.objective} loss")
    fitting.optimizer.step()
    return _Done(step, value, gradient)


def _validate(fitting: Fitting) -> list[_Done]:
    """The same pairs every time."""
    options, pool = fitting.options, fitting.pools.validation
    fitting.module.eval()
    generator, done = np.random.default_rng([options.seed, 3]), []
    with torch.inference_mode():
        for step in validation_steps(pool, options):
            loss = step.loss(fitting.module, pool, options.temperature, generator)
            done.append(_Done(step, _checked(loss, f"the {step.objective} loss of the validation runs")))
    return done


def _checked(value: Tensor, name: str) -> float:
    number = value.item()
    if not math.isfinite(number):
        raise NotFiniteError(f"{name} is {number}")
    return number


def _mean_loss(steps: Sequence[_Done], objective: Objective) -> float | None:
    """The mean over networks, None where there is none."""
    own = [done for done in steps if done.step.objective == objective]
    if not own:
        return None
    return float(np.average([done.loss for done in own], weights=[len(done.step.numbers) for done in own]))
