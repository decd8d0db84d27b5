"""Training: networks about to be trained in; what they are after some steps out, many of one shape at once."""

from collections.abc import Sequence

from wembed.device import CPU
from wembed.models import Architecture, Dataset
from wembed.zoo.builder.training.alone import train_alone
from wembed.zoo.builder.training.stacked import train_stacked
from wembed.zoo.builder.training.trainee import OnStep, Trained, Trainee, ignore

__all__ = ["Trained", "Trainee", "train"]


def train(
    trainees: Sequence[Trainee],
    architecture: Architecture,
    dataset: Dataset,
    snapshots: tuple[int, ...],
    on_step: OnStep = ignore,
    device: str = CPU,
) -> list[Trained]:
    """Trains networks of one architecture on one data set, all at once where their layers allow it.

    Args:
        trainees: the networks.
        architecture: of all of them.
        dataset: that all of them learn.
        snapshots: after how many steps a network is kept, ascending; the last one ends the training. A network with
            `until` is kept once, where it stopped.
        on_step: told after every step how many there were, of single networks.
        device: to compute on, by torch's name.

    Returns:
        What was kept of the first network in the order of the steps, then of the second, and so on. Of a network that
        diverges the last that was kept is marked; if nothing was kept before, that is its start.
    """
    how = train_stacked if architecture.stackable else train_alone
    return how(trainees, architecture, dataset, snapshots, on_step, device)
