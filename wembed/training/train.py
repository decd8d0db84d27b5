"""A zoo's rows and networks in; a trained encoder in its folder out.

Runs and their families stand on one side of the split; networks of the test split are never read here. After every
epoch the state of the training is kept beside its log; stopped anywhere, the same call goes on from there.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import wembed
from wembed.device import deterministic, one_thread
from wembed.encoder import Encoder, load_encoder, save_encoder, training_of
from wembed.encoder.features import FEATURE_VERSION
from wembed.errors import NotFoundError, WembedError
from wembed.training.alone import alone
from wembed.training.data import Data
from wembed.training.distributed import Ranks, current_ranks
from wembed.training.examples import Example, OpenItems, examples_of
from wembed.training.history import Epoch, last_best, read_log, write_log
from wembed.training.kinds import batch_of, untrained, with_weights
from wembed.training.looks import looks_of
from wembed.training.loop import Listeners, Pools, fit
from wembed.training.options import TrainOptions
from wembed.training.pieces import Warn
from wembed.training.pool import Pool, Progress, make_stacks
from wembed.training.state import State, read_state, remove_state

FORMAT = 2  # of what training does: encoders of another one are trained again

Report = Callable[[Epoch], None]


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Args:
        folder: of the encoder.
        encoder: it.
        data: what it was trained on.
        history: its epochs.
        is_new: whether it was trained now, and not there already.
        notices: what was left out, in words.
        stopped: what stopped it early, and which weights were kept; "" where nothing did.
    """

    folder: Path
    encoder: Encoder
    data: Data
    history: list[Epoch]
    is_new: bool = True
    notices: tuple[str, ...] = ()
    stopped: str = ""


@dataclass(frozen=True)
class Sides:
    """The networks of a training.

    Args:
        train: what it is trained on.
        validation: what its best epoch is chosen by; no relative of any of the others is among them.
        structure: the one structure that a flat encoder knows; "" for all.
    """

    train: Sequence[Example]
    validation: Sequence[Example]
    structure: str = ""


@dataclass(frozen=True)
class Watch:
    """Who is told how far a training is.

    Args:
        progress: while networks are read, and then while they are trained on: how many are done, of how many at most.
        report: after every epoch.
        warn: in words, what was done otherwise than asked for.
    """

    progress: Progress = lambda done, total: None
    report: Report = lambda epoch: None
    warn: Warn = lambda text: None


@dataclass(frozen=True)
class Learnt:
    """A trained encoder.

    Args:
        encoder: it, in its folder.
        history: its epochs.
        notices: see `Trained`.
        stopped: see `Trained`.
    """

    encoder: Encoder
    history: list[Epoch]
    notices: tuple[str, ...]
    stopped: str


def train(
    data: Data,
    open_items: OpenItems,
    options: TrainOptions,
    folder: Path,
    progress: Progress = lambda done, total: None,
    report: Report = lambda epoch: None,
    warn: Warn = lambda text: None,
) -> Trained:
    """Trains an encoder and writes it into a folder, with a log of its epochs.

    An encoder that is there already, of the same options and data, is not trained again; one whose training was stopped
    is trained on from its last whole epoch, and comes out as if nothing had happened. Processes that have joined others
    (see `wembed.training.distributed`) all make the same call; they share the networks, and the first one writes.

    Args:
        data: see `select_data`.
        open_items: opens the checkpoints of rows, with their symmetries.
        options: how.
        folder: where to; what is there is replaced at the end, but for the log, which the first epoch replaces.
        progress: see `Watch`.
        report: see `Watch`.
        warn: see `Watch`.

    Raises:
        WembedError: no epoch was any good, a checkpoint can't be read, or another training writes the folder.
    """
    is_known = current_ranks().first(lambda: trained_before(folder, data, options) is not None)
    known = trained_before(folder, data, options) if is_known else None
    if known:
        return Trained(folder, known, data, read_log(folder), is_new=False)
    with _alone_together(folder):
        sides = Sides(examples_of(data.train, open_items), examples_of(data.validation, open_items), data.structure)
        learnt = train_examples(sides, options, folder, _told(data, options), Watch(progress, report, warn))
    return Trained(folder, learnt.encoder, data, learnt.history, True, learnt.notices, learnt.stopped)


@contextmanager
def _alone_together(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a folder, which the first process holds for all; what refuses it refuses all."""
    with ExitStack() as held:

        def refused() -> WembedError | None:
            try:
                held.enter_context(alone(folder))
            except WembedError as error:
                return error
            return None

        if error := current_ranks().first(refused):
            raise error
        yield


def train_examples(
    sides: Sides, options: TrainOptions, folder: Path, told: Mapping[str, object], watch: Watch
) -> Learnt:
    """Trains an encoder on networks wherever they come from; see `train`.

    Args:
        sides: the networks.
        options: how.
        folder: where to.
        told: what the encoder's config says about its training. It names the data: with the same words a training that
            was stopped goes on.
        watch: who is told how far it is.

    Raises:
        NotFoundError: accuracies are to be learned, and none is known.
        WembedError: no epoch was any good, or a checkpoint can't be read.
    """
    _check_labelled(sides, options)
    ranks = current_ranks()
    with one_thread(), deterministic() if options.deterministic else nullcontext(), _own_draws(options.seed):
        pools = _pools(sides, options, ranks, watch.progress)
        encoder = untrained(options, sides.structure, len(sides.train), looks_of(pools.train, ranks))
        state = ranks.first(lambda: read_state(folder, told) or State())

        def keep(new: State) -> None:
            new.write(folder, told)
            write_log(folder, new.history)
            watch.report(new.history[-1])

        if state.history and ranks.is_first:
            write_log(folder, state.history)  # killed between the two above
        fitted = fit(encoder.module, pools, options, state, Listeners(keep, watch.progress, watch.warn))
    if not fitted.history:
        raise WembedError(f"training stopped in {fitted.stopped}", "try a smaller --learning-rate")
    trained = with_weights(encoder, options.device)
    if ranks.is_first:
        save_encoder(trained, folder, told)
        remove_state(folder)
    ranks.wait()
    notices = (*_fewer_views(pools, options), *_unlabelled(sides, options))
    return Learnt(trained, fitted.history, notices, _kept(fitted.history, fitted.stopped))


@contextmanager
def _own_draws(seed: int) -> Iterator[None]:
    """Draws of torch from a seed, which leave those of the caller as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def trained_before(folder: Path, data: Data, options: TrainOptions) -> Encoder | None:
    """The encoder of a folder, if it was trained with these options on these data and can still be read."""
    try:
        if training_of(folder) != json.loads(json.dumps(_told(data, options))):
            return None
        return load_encoder(folder.name, folder, options.device)
    except WembedError:  # none there, or of another version
        return None


def epochs_before(folder: Path, data: Data, options: TrainOptions) -> int:
    """How many epochs of a training with these options on these data are done, where it was stopped; else 0."""
    state = read_state(folder, _told(data, options))
    return len(state.history) if state else 0


def _told(data: Data, options: TrainOptions) -> dict[str, object]:
    """What the encoder's config says about its training."""
    sides = {"runs": data.runs(data.train), "validation_runs": data.runs(data.validation)}
    about = {"data": data.hash, "structure": data.structure, "version": wembed.__version__}
    formats = {"format": FORMAT, "features": FEATURE_VERSION}
    return {
        "split_seed": options.seed,
        "hold_out": options.hold_out,
        "options": options.told,
        **about,
        **formats,
        **sides,
    }


def _unlabelled(sides: Sides, options: TrainOptions) -> tuple[str, ...]:
    """Says so where accuracies were to be learned, too, and none is known."""
    known = any(not math.isnan(example.accuracy) for example in sides.train)
    return () if known or options.objective != "both" else ("no accuracy is known, so only kinship was learned",)


def _check_labelled(sides: Sides, options: TrainOptions) -> None:
    for name, examples in (("training", sides.train), ("validation", sides.validation)):
        if options.objective == "accuracy" and all(math.isnan(example.accuracy) for example in examples):
            raise NotFoundError(f"of no {name} run the accuracy is known", "train with --objective kinship")


def _pools(sides: Sides, options: TrainOptions, ranks: Ranks, progress: Progress) -> Pools:
    generator = np.random.default_rng([options.seed, 0])
    batch, total = batch_of(options.model_type), len(sides.train) + len(sides.validation)

    def pool(examples: Sequence[Example], before: int) -> Pool:
        def tell(done: int, _: int) -> None:
            progress(before + done, total)

        stacks = make_stacks(examples, batch, options.views, generator, tell, ranks)
        return Pool.of(examples, stacks).to(torch.device(options.device))

    return Pools(pool(sides.train, 0), pool(sides.validation, len(sides.train)), ranks)


def _fewer_views(pools: Pools, options: TrainOptions) -> tuple[str, ...]:
    """Says where memory did not allow for all views."""
    few = [stack for stack in (*pools.train.stacks, *pools.validation.stacks) if stack.views < options.views]
    if not few:
        return ()
    count, least = sum(stack.count for stack in few), min(stack.parameters for stack in few)
    return (f"{count} networks of {least} parameters or more have fewer than {options.views} views, to save memory",)


def _kept(history: Sequence[Epoch], stopped: str) -> str:
    """Says what is left of a training that was stopped."""
    return f"training stopped in {stopped}; the weights of epoch {last_best(history)} are kept" if stopped else ""
