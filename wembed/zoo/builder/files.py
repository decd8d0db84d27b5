"""Networks that were made in; checkpoints of a zoo and their rows out, all that a row says measured on the file."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import Checkpoint, open_checkpoint, write_safetensors
from wembed.errors import WembedError
from wembed.models import Dataset, ModelDescription, load_module, score
from wembed.symmetry import spec_metadata
from wembed.zoo.builder.specs import network_spec
from wembed.zoo.read import read_file

MOST_SCORED = 4096  # training inputs on which a network's training accuracy is measured
SOURCE = "wembed zoo build"  # of its files and rows
_FOLDER = "checkpoints"
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Made:
    """A network to be written.

    Args:
        id: of its checkpoint.
        tensors: its weights and running statistics.
        measured_on: the training inputs for its training accuracy: those that a run has seen; all for a child, in which
            there is what its ancestors saw, too.
        columns: what its catalog row says beyond what is measured.
        metadata: what its file says beyond what rebuilds it.
    """

    id: str
    tensors: dict[str, NDArray[np.float32]]
    measured_on: NDArray[np.int64]
    columns: dict[str, object] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


class CheckpointWriter:
    """Writes the checkpoints of one architecture and data set.

    Args:
        zoo: where they go.
        description: what rebuilds the networks.
        dataset: that they are measured on.
    """

    def __init__(self, zoo: Zoo, description: ModelDescription, dataset: Dataset) -> None:
        self.zoo, self.dataset = zoo, dataset
        self._common = spec_metadata(network_spec(description)) | description.metadata()

    def write(self, made: Made, added: str) -> CatalogRow:
        """Writes a checkpoint in place of what was there, and reads it back for its row.

        Args:
            made: the network.
            added: when, as the catalog writes it.

        Raises:
            WembedError: if it can't be written.
        """
        path = self.zoo.root / stored_path(made.id)
        tensors = {key: ("F32", values) for key, values in made.tensors.items()}
        write_safetensors(path, tensors, self._common | made.metadata)
        read = read_file(self.zoo, path, None)
        values = read.values | made.columns | self._measured(read.checkpoint, made.measured_on)
        return CatalogRow(id=made.id, path=stored_path(made.id), added=added, **values)  # type: ignore[arg-type]

    def _measured(self, checkpoint: Checkpoint, seen: NDArray[np.int64]) -> dict[str, float | None]:
        """What the file's network reaches on every part of the data, with the true labels."""
        module, data = load_module(checkpoint), self.dataset
        every = torch.from_numpy(np.unique(np.linspace(0, len(seen) - 1, min(len(seen), MOST_SCORED)).astype(np.int64)))
        rows = torch.from_numpy(seen)[every]
        trained = score(module, data.train_inputs[rows], data.train_labels[rows])
        chosen = score(module, data.validation_inputs, data.validation_labels)
        held_out = score(module, data.test_inputs, data.test_labels)
        return {
            "accuracy": held_out.accuracy,
            "validation_accuracy": chosen.accuracy,
            "train_accuracy": trained.accuracy,
            "loss": _finite(held_out.loss),
            "validation_loss": _finite(chosen.loss),
            "train_loss": _finite(trained.loss),
            "gap": trained.accuracy - held_out.accuracy,
        }


def check_ids(zoo: Zoo, ids: Iterable[str]) -> None:
    """Makes sure that some checkpoints' ids are not taken.

    Raises:
        WembedError: if one is, by a row or a file from elsewhere.
    """
    wanted = frozenset(ids)
    for row in zoo.rows():
        if row.id in wanted and row.path != stored_path(row.id):
            hint = "build into another zoo with --zoo"
            raise WembedError(f"the id {row.id} is taken in {zoo.root} by {row.path}", hint)
    for row_id in wanted - {row.id for row in zoo.rows()}:
        path = path_of(zoo, row_id)
        if path.exists() and not _is_built(path):
            raise WembedError(f"{path} is in the way, which no build has made", "move it, or build with another --zoo")


def remove_torn(zoo: Zoo, ids: Iterable[str]) -> None:
    """Removes what a killed build left half-written of some checkpoints."""
    wanted = frozenset(ids)
    for path in (zoo.root / _FOLDER).glob(f".*{_SUFFIX}.*.tmp"):
        if path.name.removeprefix(".").split(_SUFFIX)[0] in wanted:
            path.unlink(missing_ok=True)


def stored_path(row_id: str) -> str:
    """Where the checkpoint of an id is, as the catalog writes it."""
    return f"{_FOLDER}/{row_id}{_SUFFIX}"


def path_of(zoo: Zoo, row_id: str) -> Path:
    """Where the checkpoint of an id is."""
    return zoo.root / stored_path(row_id)


def _is_built(path: Path) -> bool:
    try:
        return open_checkpoint(path).metadata.get("source") == SOURCE
    except WembedError:
        return False


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
