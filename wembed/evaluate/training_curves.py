"""Names of encoders in; how their training went, as far as their folders keep it, out."""

from collections.abc import Iterable
from pathlib import Path

from wembed.catalog import Zoo
from wembed.evaluate.results import TrainingCurve
from wembed.training.history import Epoch, last_best, read_log

METRIC = "validation loss"


def training_curves(zoo: Zoo, names: Iterable[str]) -> list[TrainingCurve]:
    """The curves of those encoders of a zoo that keep a log.

    Args:
        zoo: whose encoders.
        names: of the encoders, or their folders.
    """
    found = []
    for name in names:
        folders = (zoo.root / "encoders" / name, Path(name))
        if history := next((epochs for folder in folders if (epochs := read_log(folder))), None):
            found.append(_curve(name, history))
    return found


def _curve(name: str, history: list[Epoch]) -> TrainingCurve:
    return TrainingCurve(
        name,
        tuple(epoch.epoch for epoch in history),
        tuple(_loss(epoch) for epoch in history),
        tuple(epoch.validation_loss for epoch in history),
        METRIC,
        last_best(history),
    )


def _loss(epoch: Epoch) -> float:
    """Both parts, weighed as in the validation loss, of which the log holds the parts and the sum."""
    contrastive, accuracy = epoch.contrastive or 0.0, epoch.accuracy or 0.0
    if not epoch.validation_accuracy:
        return contrastive + accuracy
    weight = (epoch.validation_loss - (epoch.validation_contrastive or 0.0)) / epoch.validation_accuracy
    return contrastive + weight * accuracy
