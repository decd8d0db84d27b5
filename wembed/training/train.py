"""A zoo's rows and networks in; a trained encoder in its folder out.

Runs and their families stand on one side of the split; networks of the test split are never read here.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import wembed
from wembed.catalog import CatalogRow, Split, assign_splits, check_splits
from wembed.device import one_thread
from wembed.encoder import Encoder, Item, load_encoder, save_encoder, training_of
from wembed.encoder.batches import Batch
from wembed.encoder.flat import Flat, FlatBatch, FlatConfig
from wembed.encoder.gnn import Gnn
from wembed.encoder.probes import tasks_of
from wembed.encoder.readout import GnnConfig
from wembed.errors import NotFoundError, WembedError
from wembed.training.loop import Epoch, Stacks, fit
from wembed.training.options import TrainOptions
from wembed.training.pool import Example, Progress, Stack, make_stacks

LOG = "log.jsonl"
_LEAST_RUNS = 4  # per side: fewer have no strangers to tell apart
_FLAT_WIDTH = 4  # times hidden_dim

OpenItems = Callable[[Sequence[CatalogRow]], Sequence[Item]]


@dataclass(frozen=True)
class Data:
    """The rows that a training reads.

    Args:
        train: of the training runs.
        validation: of the validation runs.
        structure: the one structure that a flat encoder knows; "" for all.
    """

    train: tuple[CatalogRow, ...]
    validation: tuple[CatalogRow, ...]
    structure: str = ""

    @property
    def hash(self) -> str:
        """Sixteen hex digits of what is trained on."""
        lines = sorted((row.run or row.id, row.content, row.spec, row.accuracy or -1.0) for row in self.rows)
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]

    @property
    def rows(self) -> tuple[CatalogRow, ...]:
        """All of them."""
        return (*self.train, *self.validation)

    @staticmethod
    def runs(rows: Sequence[CatalogRow]) -> list[str]:
        """The runs of some rows."""
        return sorted({row.run or row.id for row in rows})


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Args:
        folder: of the encoder.
        encoder: it.
        data: what it was trained on.
        history: its epochs; [] where it was there already.
    """

    folder: Path
    encoder: Encoder
    data: Data
    history: list[Epoch]


def select_data(rows: Sequence[CatalogRow], options: TrainOptions) -> Data:
    """Which rows a training reads: all of its two splits, or of the structure with most runs for flat encoders.

    Raises:
        NotFoundError: there are too few runs.
    """
    splits = assign_splits(rows, options.seed)
    structure = "" if options.model_type == "gnn" else _commonest_structure(rows, splits)
    kept = [row for row in rows if not structure or row.structure == structure]
    check_splits(kept, splits)
    data = Data(_side(kept, splits, "train"), _side(kept, splits, "validation"), structure)
    for name, side in (("training", data.train), ("validation", data.validation)):
        count = len(data.runs(side))
        if count < _LEAST_RUNS:
            hint = "`wembed zoo build` makes a zoo with many runs"
            raise NotFoundError(f"{count} {name} runs in the zoo, at least {_LEAST_RUNS} are needed", hint)
    return data


def train(
    data: Data,
    open_items: OpenItems,
    options: TrainOptions,
    folder: Path,
    progress: Progress = lambda done, total: None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Trained:
    """Trains an encoder and writes it into a folder, with a log of its epochs.

    An encoder that is there already, of the same options and data, is not trained again.

    Args:
        data: see `select_data`.
        open_items: opens the checkpoints of rows, with their symmetries.
        options: how.
        folder: where to; what is there is replaced at the end.
        progress: told while networks are read.
        report: told after every epoch.

    Raises:
        WembedError: training diverged, or a checkpoint can't be read.
    """
    known = trained_before(folder, data, options)
    if known:
        return Trained(folder, known, data, [])
    with one_thread():
        return _train(data, open_items, options, folder, _Watch(progress, report))


@dataclass(frozen=True)
class _Watch:
    progress: Progress
    report: Callable[[Epoch], None]


def _train(data: Data, open_items: OpenItems, options: TrainOptions, folder: Path, watch: _Watch) -> Trained:
    generator = np.random.default_rng([options.seed, 0])
    examples = [_examples(rows, open_items) for rows in (data.train, data.validation)]
    batch = Gnn.batch if options.model_type == "gnn" else Flat.batch
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        made = [make_stacks(side, batch, options.views, generator, watch.progress) for side in examples]
        stacks = Stacks(*(_on_device(side, options) for side in made))
        encoder = _untrained(options, data, stacks)
        encoder.module.calibrate([stack.networks for stack in stacks.train])  # type: ignore[misc] # its own kind
        history = _fit(encoder.module, stacks, options, folder, watch.report)
    trained = _with_weights(encoder, options)
    save_encoder(trained, folder, _told(data, options))
    return Trained(folder, trained, data, history)


def trained_before(folder: Path, data: Data, options: TrainOptions) -> Encoder | None:
    """The encoder of a folder, if it was trained with these options on these data and can still be read."""
    try:
        if training_of(folder) != json.loads(json.dumps(_told(data, options))):
            return None
        return load_encoder(folder.name, folder, options.device)
    except WembedError:  # none there, or of another version
        return None


def _told(data: Data, options: TrainOptions) -> dict[str, object]:
    """What the encoder's config says about its training."""
    kept = {name: value for name, value in asdict(options).items() if name != "device"}
    sides = {"runs": data.runs(data.train), "validation_runs": data.runs(data.validation)}
    about = {"data": data.hash, "structure": data.structure, "version": wembed.__version__}
    return {"split_seed": options.seed, "options": kept, **about, **sides}


def _fit(
    module: nn.Module, stacks: Stacks, options: TrainOptions, folder: Path, report: Callable[[Epoch], None]
) -> list[Epoch]:
    """Trains, and writes every epoch into the log."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("w", encoding="utf-8") as log:

        def tell(epoch: Epoch) -> None:
            log.write(json.dumps(asdict(epoch)) + "\n")
            log.flush()
            report(epoch)

        history = fit(module, stacks, options, tell)
    if not history:
        raise WembedError("training diverged in its first epoch", "try a smaller --learning-rate")
    return history


def _untrained(options: TrainOptions, data: Data, stacks: Stacks) -> Gnn | Flat:
    networks = [stack.networks for stack in stacks.train]
    if options.model_type == "gnn":
        tasks = tuple((task.inputs, task.classes) for task in tasks_of([n for n in networks if isinstance(n, Batch)]))
        sizes = (options.hidden_dim, options.global_dim, options.message_passing_steps)
        return Gnn(GnnConfig(*sizes, tasks=tasks, seed=options.seed), device=options.device)
    inputs = next(n for n in networks if isinstance(n, FlatBatch)).vectors.shape[1]
    components = min(options.components, inputs, len(data.train)) if options.model_type == "pca-mlp" else 0
    width = _FLAT_WIDTH * options.hidden_dim
    flat = FlatConfig(data.structure, inputs, components, width, options.global_dim, options.seed)
    return Flat(flat, device=options.device)


def _with_weights(encoder: Gnn | Flat, options: TrainOptions) -> Gnn | Flat:
    """The encoder that its trained module makes: its id follows from its weights."""
    weights = {name: value.detach().cpu() for name, value in encoder.module.state_dict().items()}
    if isinstance(encoder, Gnn):
        return Gnn(encoder.config, weights, options.device)
    return Flat(encoder.config, weights, options.device)


def _examples(rows: Sequence[CatalogRow], open_items: OpenItems) -> list[Example]:
    accuracies = [math.nan if row.accuracy is None else row.accuracy for row in rows]
    return [
        Example(item, row.run or row.id, row.step or 0, accuracy)
        for item, row, accuracy in zip(open_items(rows), rows, accuracies, strict=True)
    ]


def _on_device(stacks: Sequence[Stack], options: TrainOptions) -> list[Stack]:
    device = torch.device(options.device)
    return [replace(stack, networks=stack.networks.to(device), accuracy=stack.accuracy.to(device)) for stack in stacks]


def _side(rows: Sequence[CatalogRow], splits: Mapping[str, Split], side: Split) -> tuple[CatalogRow, ...]:
    return tuple(row for row in rows if splits[row.id] == side)


def _commonest_structure(rows: Sequence[CatalogRow], splits: Mapping[str, Split]) -> str:
    """The structure that most training runs have."""
    runs = {(row.run or row.id): row.structure for row in rows if splits[row.id] == "train"}
    counts = Counter(runs.values())
    return min(counts, key=lambda structure: (-counts[structure], structure), default="")
