"""A stack in; its networks made, their checkpoints and its journal written, its rows out: what a worker does."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint
from wembed.device import one_thread
from wembed.models import DataFile, Dataset, load_dataset
from wembed.zoo.builder.files import SOURCE, CheckpointWriter, Made, path_of, remove_torn
from wembed.zoo.builder.journal import Journal
from wembed.zoo.builder.lineage.child import Child
from wembed.zoo.builder.lineage.derived import Derived
from wembed.zoo.builder.lineage.make import make_children
from wembed.zoo.builder.manifest import Group
from wembed.zoo.builder.runs import Run, describe_model, draw_data, trainee_of
from wembed.zoo.builder.stacks import Stack
from wembed.zoo.builder.training import Trained, train

OnStep = Callable[[int], None]


@dataclass(frozen=True)
class Order:
    """A stack to be made.

    Args:
        root: of the zoo.
        stack: what to make.
        parents: checkpoint ids of what its members are made of, by run.
        file: of its data set, if that has one.
        device: to train on.
    """

    root: Path
    stack: Stack
    parents: Mapping[str, str]
    file: DataFile | None
    device: str


def carry_out(order: Order, on_step: OnStep) -> tuple[CatalogRow, ...]:
    """Makes a stack; its journal is written last.

    Args:
        order: what to make.
        on_step: told how many updates of single networks there were.

    Raises:
        WembedError: if something can't be written.
    """
    zoo, stack = Zoo(order.root), order.stack
    dataset = load_dataset(stack.dataset, order.file)
    with one_thread():
        made = list(_made(order, dataset, on_step))
        remove_torn(zoo, [network.id for network in made])
        writer = CheckpointWriter(zoo, describe_model(stack.group, dataset), dataset)
        added = datetime.now(UTC).isoformat(timespec="seconds")
        rows = tuple(writer.write(network, added) for network in made)
    Journal(stack.name, tuple(member.name for member in stack.members), stack.recipe, rows).write(zoo)
    return rows


def checkpoint_ids(stack: Stack) -> list[str]:
    """The ids that a stack's checkpoints have if none of its runs diverges."""
    steps = stack.group.training.snapshots
    runs = [member for member in stack.members if isinstance(member, Run)]
    children = [member.name for member in stack.members if isinstance(member, Child)]
    return [*(_id(run, step) for run in runs for step in steps), *children]


def _made(order: Order, dataset: Dataset, on_step: OnStep) -> Iterator[Made]:
    stack = order.stack
    if stack.needs:
        yield from _made_children(order, dataset, on_step)
        return
    runs, group = cast(tuple[Run, ...], stack.members), stack.group
    trainees = [trainee_of(run, dataset) for run in runs]
    for found in train(trainees, group.architecture, dataset, group.training.snapshots, on_step, order.device):
        yield snapshot(runs[found.trainee], found, dataset)


def _made_children(order: Order, dataset: Dataset, on_step: OnStep) -> Iterator[Made]:
    """A child whose parent has diverged is not made."""
    children = cast(tuple[Child, ...], order.stack.members)
    alive = [child for child in children if {child.parent, child.other or child.parent} <= set(order.parents.values())]
    zoo, ids = Zoo(order.root), {name for child in alive for name in (child.parent, child.other) if name}
    parents = {}
    for parent in ids:
        checkpoint = open_checkpoint(path_of(zoo, parent))
        parents[parent] = {name: checkpoint.read(name).astype(np.float32) for name in checkpoint.tensors}
    for derived in make_children(alive, parents, dataset, on_step, order.device):
        yield _derived(derived, dataset)


def snapshot(run: Run, trained: Trained, dataset: Dataset) -> Made:
    """A run after some steps, as it is written."""
    base = Run(run.group, run.number, run.seed)
    columns = _common(run.group, run.name, run.seed) | {
        "step": trained.step,
        "init_id": run.draw_id("init"),
        "data_order_id": run.draw_id("order"),
        "hyperparameters": {**run.hyperparameters, **({"twin": run.twin, "twin_of": base.name} if run.twin else {})},
        "status": _status(trained.diverged_at),
    }
    metadata = _metadata(run.group, run.name, run.seed, dataset) | {"step": str(trained.step)}
    return Made(_id(run, trained.step), trained.tensors, draw_data(run, dataset, 1, 1).subset, columns, metadata)


def _derived(derived: Derived, dataset: Dataset) -> Made:
    child = derived.child
    columns = _common(child.group, child.name, child.seed) | {
        "step": derived.step,
        "parent": child.parent,
        "other_parent": child.other,
        "derivation": child.derivation,
        "change": derived.change if math.isfinite(derived.change) else None,
        "data_order_id": None if derived.step is None else child.draw_id("order"),
        "hyperparameters": {**derived.details, **({} if child.change is None else {"drawn_change": child.change})},
        "status": _status(derived.diverged_at),
    }
    metadata = _metadata(child.group, child.name, child.seed, dataset) | {"parent": child.parent}
    every = np.arange(len(dataset.train_labels))
    return Made(child.name, derived.tensors, every, columns, metadata)


def _common(group: Group, run: str, seed: int) -> dict[str, object]:
    return {"run": run, "seed": seed, "split": "zero-shot" if group.sealed else None}


def _metadata(group: Group, run: str, seed: int, dataset: Dataset) -> dict[str, str]:
    return {
        "architecture": group.architecture.label,
        "dataset": dataset.name,
        "run": run,
        "seed": str(seed),
        "source": SOURCE,
        "task": "language modelling" if dataset.kind == "text" else "classification",
    }


def _status(diverged_at: int | None) -> str | None:
    return None if diverged_at is None else f"diverged at step {diverged_at}"


def _id(run: Run, step: int) -> str:
    return f"{run.name}-step{step}"
