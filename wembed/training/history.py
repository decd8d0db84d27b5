"""What the epochs of a training came to, and its log: a JSON object per line and epoch."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wembed.catalog.zoo import write_whole

LOG = "log.jsonl"


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; losses in nats, None where the objective has no such part.

    Args:
        epoch: from 1.
        contrastive: mean InfoNCE over the training runs.
        accuracy: mean divergence of accuracies over them.
        validation_contrastive: the same over the validation runs.
        validation_accuracy: the same over them.
        validation_loss: both, as training weighs them: what the best epoch is chosen by.
        learning_rate: of its last step.
        gradient_norm: mean over its steps, before clipping.
        networks_per_second: that were trained on; depends on the machine.
        seconds: of training until then, reading left out; depends on the machine.
        best: whether no epoch before it had a smaller validation loss.
    """

    epoch: int
    contrastive: float | None
    accuracy: float | None
    validation_contrastive: float | None
    validation_accuracy: float | None
    validation_loss: float
    learning_rate: float
    gradient_norm: float
    networks_per_second: float
    seconds: float
    best: bool


def last_best(history: Sequence[Epoch]) -> int:
    """The number of the best epoch, 0 where there is none."""
    return max((epoch.epoch for epoch in history if epoch.best), default=0)


def smallest_loss(history: Sequence[Epoch]) -> float:
    """The smallest validation loss, infinite where there is no epoch."""
    return min((epoch.validation_loss for epoch in history), default=math.inf)


def read_log(folder: Path) -> list[Epoch]:
    """The epochs of a training that is over; [] where its log is gone or is none."""
    try:
        return [Epoch(**json.loads(line)) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError):
        return []


def write_log(folder: Path, history: Sequence[Epoch]) -> None:
    """Writes all epochs, whole or not at all: until then the log of an earlier training stays."""
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in history]
    write_whole(folder / LOG, "".join(lines).encode())
