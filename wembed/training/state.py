"""The state of a training between two epochs, as a file: what a training that was killed goes on from."""

import dataclasses
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from wembed.catalog.zoo import write_whole
from wembed.device import CPU
from wembed.training.history import Epoch

STATE = "training.pt"


@dataclass(frozen=True)
class State:
    """All that the next epoch depends on, but for the data and the options; what it draws follows from its number.

    Args:
        history: the epochs so far.
        module: its parameters and buffers.
        best: those of the best epoch.
        optimizer: the optimizer's moments.
    """

    history: list[Epoch] = field(default_factory=list)
    module: Mapping[str, Tensor] = field(default_factory=dict)
    best: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, object] = field(default_factory=dict)

    def write(self, folder: Path, told: Mapping[str, object]) -> None:
        """Writes it, whole or not at all; once this returns it survives a crash.

        Args:
            folder: of the encoder.
            told: options and data of the training.

        Raises:
            WembedError: it can't be written.
        """
        contents = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        contents["history"] = [dataclasses.asdict(epoch) for epoch in self.history]
        file = io.BytesIO()
        torch.save({"told": json.dumps(told), **contents}, file)
        write_whole(folder / STATE, file.getvalue())


def read_state(folder: Path, told: Mapping[str, object]) -> State | None:
    """The state of a training of the same options and data that did not come to its end, if there is one."""
    try:
        contents = torch.load(folder / STATE, map_location=CPU, weights_only=True)
        if contents.pop("told") != json.dumps(told):
            return None
        history = [Epoch(**epoch) for epoch in contents.pop("history")]
        return State(history, **contents)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, ValueError, KeyError, TypeError, AttributeError):
        return None  # none there, or written by another version


def remove_state(folder: Path) -> None:
    """Forgets the state: the encoder is there."""
    (folder / STATE).unlink(missing_ok=True)
