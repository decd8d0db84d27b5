"""Two networks and a data set in; accuracy and loss along the straight line between them, naive and aligned, out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.encoder import Item
from wembed.errors import UsageError
from wembed.merging.aligned import Aligned, align, common_spec, unaligned
from wembed.merging.combine import MergeOptions
from wembed.merging.repair import renewed
from wembed.merging.statistics import check_dataset
from wembed.merging.tensors import as_checkpoint
from wembed.models import Dataset, Scores, load_module, score


@dataclass(frozen=True)
class PathPoint:
    """What the interpolated networks reach at one place, on held-out inputs.

    Args:
        t: 0 at the first network, 1 at the second.
        naive_accuracy: of the plain average of the files.
        aligned_accuracy: of the average after matching.
        naive_loss: cross entropy of the former.
        aligned_loss: of the latter.
    """

    t: float
    naive_accuracy: float
    aligned_accuracy: float
    naive_loss: float
    aligned_loss: float


@dataclass(frozen=True)
class PathCurve:
    """Points from one network to the other, t ascending, both ends included.

    Args:
        points: naive and aligned.
        repaired_losses: at the same places, of plain averages whose units were repaired; () where that was not run.
    """

    points: tuple[PathPoint, ...]
    repaired_losses: tuple[float, ...] = ()

    @property
    def naive_barrier(self) -> float:
        """The largest excess of the naive loss over the straight line between the ends' losses."""
        return _barrier([(point.t, point.naive_loss) for point in self.points])

    @property
    def aligned_barrier(self) -> float:
        """The same for the aligned loss."""
        return _barrier([(point.t, point.aligned_loss) for point in self.points])

    @property
    def repaired_barrier(self) -> float | None:
        """The same for plain averages whose units were repaired; None where that was not run."""
        places = [point.t for point in self.points]
        return _barrier(list(zip(places, self.repaired_losses, strict=True))) if self.repaired_losses else None


def interpolations(
    first: Item, second: Item, dataset: Dataset, points: int = 11, options: MergeOptions | None = None
) -> PathCurve:
    """The path between two networks.

    Between the ends batch-norm statistics are recomputed, of plain averages too, and units of matched ones repaired.
    Repair alone, on plain averages, is run as well: what matching adds to it is the rest.

    Args:
        first: where t is 0.
        second: where t is 1.
        dataset: its training inputs give statistics, its held-out ones accuracy and loss.
        points: how many, evenly spaced, 2 or more.
        options: how the two are matched; with `align="none"` both paths are that of the files.

    Raises:
        CheckpointRefusedError: the two are not mergeable, or do not say how to run them.
        UsageError: the data set does not fit, or `align="embedding"` without an encoder that sees neurons.
    """
    options = options or MergeOptions()
    checkpoints, spec = [first[0], second[0]], common_spec([first, second])
    for checkpoint in checkpoints:
        check_dataset(checkpoint, dataset)
    naive = unaligned(checkpoints, spec)
    if options.align == "none":
        return _with_repair(path_of([first, second], naive, dataset, points), naive, first[0], dataset)
    if options.align == "embedding" and options.encoder is None:
        raise UsageError("--align embedding sees neurons through an encoder", "give one with --encoder")
    encoder = options.encoder if options.align == "embedding" else None
    aligned = align(checkpoints, spec, np.random.default_rng(options.seed), dataset, encoder)
    return _with_repair(path_of([first, second], aligned, dataset, points), naive, first[0], dataset)


def path_of(items: Sequence[Item], aligned: Aligned, dataset: Dataset, points: int = 11) -> PathCurve:
    """The path between two networks that are matched already, with the same data set, see `interpolations`."""
    like = items[0][0]
    naive = unaligned([checkpoint for checkpoint, _ in items], aligned.spec)
    found = []
    for t in np.linspace(0.0, 1.0, points).tolist():
        plain, matched = (scores_of(ends, (1 - t, t), like, dataset) for ends in (naive, aligned))
        found.append(PathPoint(t, plain.accuracy, matched.accuracy, plain.loss, matched.loss))
    return PathCurve(tuple(found))


def repairable(naive: Aligned) -> Aligned:
    """Files as they are, of which averages get what those of matched ones get: see `renewed`."""
    return replace(naive, groups=sum(not atom.frozen for atom in naive.spec.atoms.values()))


def scores_of(aligned: Aligned, weights: Sequence[float], like: Checkpoint, dataset: Dataset) -> Scores:
    """What an average reaches on held-out inputs, renewed by training inputs."""
    fresh = renewed(aligned, weights, aligned.average(weights), like, dataset)
    return score(load_module(as_checkpoint(fresh, like)), dataset.test_inputs, dataset.test_labels)


def _with_repair(curve: PathCurve, naive: Aligned, like: Checkpoint, dataset: Dataset) -> PathCurve:
    ends = repairable(naive)
    losses = [scores_of(ends, (1 - point.t, point.t), like, dataset).loss for point in curve.points]
    return replace(curve, repaired_losses=tuple(losses))


def _barrier(losses: list[tuple[float, float]]) -> float:
    (_, start), *_, (_, end) = losses
    return max(loss - ((1 - t) * start + t * end) for t, loss in losses)
