"""Snapshots of runs in; checkpoints of a zoo and their rows out, all that a row says measured on the file."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import Checkpoint, write_safetensors
from wembed.errors import WembedError
from wembed.models import Dataset, ModelDescription, chain_steps, load_module, score
from wembed.symmetry import declare_spec, spec_metadata
from wembed.zoo.builder.runs import Run, draw_data
from wembed.zoo.builder.stack_train import Snapshot
from wembed.zoo.read import read_file


class SnapshotWriter:
    """Writes the checkpoints of one group.

    Args:
        zoo: where they go.
        run: one of the group.
        dataset: that of the group.
    """

    def __init__(self, zoo: Zoo, run: Run, dataset: Dataset) -> None:
        self.zoo, self.dataset = zoo, dataset
        description = ModelDescription(
            architecture=run.group.architecture, shape=dataset.shape, classes=dataset.classes
        )
        with torch.device("meta"):
            module = description.build()
        tensors = module.state_dict().items()
        shapes = {name: tuple(value.shape) for name, value in tensors if value.is_floating_point()}
        self._common = spec_metadata(declare_spec(shapes, [chain_steps(module)])) | description.metadata()

    def write(self, snapshot: Snapshot, added: str) -> CatalogRow:
        """Writes a checkpoint in place of what was there, and reads it back for its row.

        Args:
            snapshot: the weights.
            added: when, as the catalog writes it.

        Raises:
            WembedError: if it can't be written.
        """
        run, name = snapshot.run, f"{snapshot.run.name}-step{snapshot.step}"
        path = self.zoo.root / _stored_path(name)
        tensors = {key: ("F32", values) for key, values in snapshot.tensors.items()}
        write_safetensors(path, tensors, self._common | _metadata(snapshot))
        read = read_file(self.zoo, path, None)
        values: dict[str, Any] = read.values | self._measured(read.checkpoint, run)  # Any: each of its column's type
        row = CatalogRow(
            id=name,
            path=_stored_path(name),
            init_id=run.draw_id("init"),
            data_order_id=run.draw_id("order"),
            hyperparameters=dict(run.hyperparameters),
            split="zero-shot" if run.group.sealed else None,
            status=None if snapshot.diverged_at is None else f"diverged at step {snapshot.diverged_at}",
            added=added,
        )
        return replace(row, **values)

    def _measured(self, checkpoint: Checkpoint, run: Run) -> dict[str, float | None]:
        """What the file's network reaches, on held-out inputs and on those that its run saw, with their true labels."""
        module, data = load_module(checkpoint), self.dataset
        seen = torch.from_numpy(draw_data(run, data, 1, 1).subset)
        held_out = score(module, data.test_inputs, data.test_labels)
        trained = score(module, data.train_inputs[seen], data.train_labels[seen])
        return {
            "accuracy": held_out.accuracy,
            "train_accuracy": trained.accuracy,
            "loss": held_out.loss if math.isfinite(held_out.loss) else None,
            "gap": trained.accuracy - held_out.accuracy,
        }


def check_ids(zoo: Zoo, run_names: set[str]) -> None:
    """Makes sure that the ids of some runs' checkpoints are not taken.

    Raises:
        WembedError: if one is, by a file from elsewhere.
    """
    for row in zoo.rows():
        if row.id.rpartition("-step")[0] in run_names and row.path != _stored_path(row.id):
            hint = "build into another zoo with --zoo"
            raise WembedError(f"the id {row.id} is taken in {zoo.root} by {row.path}", hint)


def remove_torn(zoo: Zoo, run_names: set[str]) -> None:
    """Removes what a killed build left half-written of some runs."""
    for path in (zoo.root / "checkpoints").glob(".*.safetensors.*.tmp"):
        if _run_of(path) in run_names:
            path.unlink(missing_ok=True)


def _stored_path(row_id: str) -> str:
    return f"checkpoints/{row_id}.safetensors"


def _run_of(path: Path) -> str:
    return path.name.removeprefix(".").rpartition("-step")[0]


def _metadata(snapshot: Snapshot) -> dict[str, str]:
    run = snapshot.run
    return {
        "architecture": run.group.architecture.label,
        "dataset": run.group.dataset,
        "run": run.name,
        "seed": str(run.seed),
        "source": "wembed zoo build",
        "step": str(snapshot.step),
        "task": "classification",
    }
