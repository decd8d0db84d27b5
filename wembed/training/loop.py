"""The training loop: epochs of pairs and of labelled networks, the best epoch by validation loss, an early stop.

It knows a module only by what it makes of networks: vectors, which shall be alike for relatives, and logits of
accuracies. What an epoch draws follows from the seed and its number, so a training can go on from any of them, on any
number of devices. Losses stay on the device until their epoch is over.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wembed.device import to_device
from wembed.training.descent import Descent
from wembed.training.distributed import Ranks
from wembed.training.history import Epoch, last_best, smallest_loss
from wembed.training.kin import Numbers
from wembed.training.optimizer import make_optimizer, set_rate
from wembed.training.options import TrainOptions
from wembed.training.pieces import Share, Warn
from wembed.training.pool import Networks, Part, Pool, Progress, Stack
from wembed.training.runner import Runner
from wembed.training.state import State
from wembed.training.steps import Objective, Step, training_steps, validation_steps

_ACCURACY_WEIGHT = 10.0  # of a nat of divergence beside a nat of InfoNCE


@dataclass(frozen=True)
class Pools:
    """What is trained on, what the best epoch is chosen by, and who shares the networks of both."""

    train: Pool
    validation: Pool
    ranks: Ranks


@dataclass(frozen=True)
class Listeners:
    """Who is told how a training goes.

    Args:
        keep: the state after every epoch; the first process's alone.
        progress: how many networks were trained on, of how many at most.
        warn: in words, what was done otherwise than asked for.
    """

    keep: Callable[[State], None]
    progress: Progress
    warn: Warn


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
        descent: what moves the module's parameters.
        progress: told how many networks were trained on, of how many at most.
    """

    module: nn.Module
    pools: Pools
    options: TrainOptions
    descent: Descent
    progress: Progress


class NotFiniteError(ArithmeticError):
    """A loss or a gradient that is not finite; the message says which."""


def fit(module: nn.Module, pools: Pools, options: TrainOptions, state: State, listeners: Listeners) -> Fitted:
    """Trains a module in place and leaves it with the weights of its best epoch.

    A loss or a gradient that is not finite stops it; the best weights until then are kept.

    Args:
        module: see `Fitting`.
        pools: what on.
        options: how.
        state: from which it goes on; an empty one starts it.
        listeners: who is told.
    """
    fitting = _begun(module, pools, options, state, listeners)
    history, stopped = state.history, ""
    while len(history) < options.num_epochs and len(history) - last_best(history) < options.patience:
        try:
            epoch = _epoch(fitting, history)
        except NotFiniteError as error:
            stopped = f"epoch {len(history) + 1}: {error}"
            break
        history = [*history, epoch]
        weights = copy.deepcopy(module.state_dict())
        moments = fitting.descent.optimizer.state_dict()
        state = State(history, weights, weights if epoch.best else state.best, moments)
        if pools.ranks.is_first:
            listeners.keep(state)
    if history:
        module.load_state_dict(dict(state.best))
    module.eval()
    return Fitted(history, stopped)


def _begun(module: nn.Module, pools: Pools, options: TrainOptions, state: State, listeners: Listeners) -> Fitting:
    optimizer = make_optimizer(module, options)
    runner = Runner.of(module, pools.train, options, pools.ranks)
    share = Share(options.accumulate, runner.device, listeners.warn)
    descent = Descent(runner, optimizer, share, options.temperature)
    fitting = Fitting(module, pools, options, descent, listeners.progress)
    if state.history:
        module.load_state_dict(dict(state.module))
        optimizer.load_state_dict(dict(state.optimizer))
    pools.ranks.spread(module.state_dict().values())
    if not state.history:
        _prepare(fitting)
    return fitting


@dataclass(frozen=True)
class _Done:
    """A step, with its loss, and the norm of its gradient where it was taken."""

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
    _prepare(fitting)
    trained, validation = _Losses.of(steps), _Losses.of(_validate(fitting))
    return Epoch(
        epoch=number,
        contrastive=trained.contrastive,
        accuracy=trained.accuracy,
        validation_contrastive=validation.contrastive,
        validation_accuracy=validation.accuracy,
        validation_loss=validation.total,
        learning_rate=fitting.descent.optimizer.param_groups[0]["lr"],
        gradient_norm=float(np.mean([done.gradient for done in steps])),
        networks_per_second=pace,
        seconds=(history[-1].seconds if history else 0.0) + time.perf_counter() - begun,
        best=validation.total < smallest_loss(history),
    )


def _prepare(fitting: Fitting) -> None:
    """Shows the module all networks that are trained on, as they are, of structures that an accuracy is known of."""
    pool, share = fitting.pools.train, fitting.descent.share
    fitting.module.eval()
    known = [stack for stack in pool.stacks if stack.held and pool.is_known(stack)]

    def show(parts: int) -> None:
        shown: list[Networks] = []
        accuracies: list[Tensor] = []
        for stack in known:
            for places in np.array_split(np.arange(stack.held, dtype=np.intp), min(parts, stack.held)):
                shown.append(pool.unchanged(stack, places))
                accuracies.append(_accuracies(pool, stack, places))
        fitting.module.after_epoch(shown, accuracies, fitting.pools.ranks.add_up)  # type: ignore[operator]

    share.fitted(show, max((stack.held for stack in known), default=0))


def _accuracies(pool: Pool, stack: Stack, places: Numbers) -> Tensor:
    """Those of some of the own networks of a stack, by their place among these."""
    return pool.accuracy[to_device(torch.from_numpy(stack.members[stack.own[places]]), pool.device)]


def _train(fitting: Fitting, number: int) -> list[_Done]:
    options, pool, optimizer = fitting.options, fitting.pools.train, fitting.descent.optimizer
    generator = np.random.default_rng([options.seed, 1, number])
    torch.manual_seed(int(generator.integers(2**31)))  # what the module drops
    fitting.module.train()
    steps = training_steps(pool, options, generator)
    networks = sum(len(step.numbers) for step in steps)
    seen, found = (number - 1) * networks, []
    for place, (step, parts) in enumerate(_drawn(steps, pool, generator), start=1):
        set_rate(optimizer, (number - 1 + (place - 0.5) / len(steps)) / options.num_epochs)
        found.append(fitting.descent.step(step, parts, pool))
        seen += len(step.numbers)
        fitting.progress(seen, options.num_epochs * networks)
    return _read_off(steps, found, fitting.pools.ranks, "")


def _validate(fitting: Fitting) -> list[_Done]:
    """The same pairs every time."""
    options, pool = fitting.options, fitting.pools.validation
    fitting.module.eval()
    generator, steps = np.random.default_rng([options.seed, 3]), validation_steps(pool, options)
    with torch.inference_mode():
        losses = [fitting.descent.loss(step, parts, pool) for step, parts in _drawn(steps, pool, generator)]
        found = [torch.stack([loss, torch.zeros_like(loss)]) for loss in losses]
    return _read_off(steps, found, fitting.pools.ranks, " of the validation runs")


def _drawn(steps: Sequence[Step], pool: Pool, generator: np.random.Generator) -> Iterator[tuple[Step, list[Part]]]:
    """Steps with their networks, those of the next one on their way while one is taken."""
    drawn = ((step, pool.draw(step.numbers, step.views, generator)) for step in steps)
    before: tuple[Step, list[Part]] | None = None
    for one in drawn:
        if before is not None:
            yield before
        before = one
    if before is not None:
        yield before


def _read_off(steps: Sequence[Step], found: Sequence[Tensor], ranks: Ranks, where: str) -> list[_Done]:
    """What steps came to, [2] each, in the words of the first process: so all agree on when to stop.

    Raises:
        NotFiniteError: a loss or a gradient is not finite.
    """
    if not found:
        return []
    values = torch.stack(list(found))
    ranks.spread([values])
    done = [_Done(step, loss, gradient) for step, (loss, gradient) in zip(steps, values.tolist(), strict=True)]
    for one in done:
        for name, value in (("loss", one.loss), ("gradient", one.gradient)):
            if not math.isfinite(value):
                what = f"the {one.step.objective} loss{where}"
                raise NotFiniteError(f"{what if name == 'loss' else f'the gradient of {what}'} is {value}")
    return done


def _mean_loss(steps: Sequence[_Done], objective: Objective) -> float | None:
    """The mean over networks, None where there is none."""
    own = [done for done in steps if done.step.objective == objective]
    if not own:
        return None
    return float(np.average([done.loss for done in own], weights=[len(done.step.numbers) for done in own]))
