"""Networks, how to average them and an encoder in; averages that were moved until the encoder sees a merge out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder, Item
from wembed.encoder.gnn import Gnn
from wembed.errors import UsageError
from wembed.merging.combine import Merged, MergeOptions, finished, merge
from wembed.merging.embedding.goals import Goal
from wembed.merging.embedding.search import search
from wembed.merging.names import Maximised
from wembed.merging.repair import training_loss
from wembed.merging.tensors import Tensors
from wembed.models import Dataset

_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)  # of the way from an average to where a search ends, tried on data
_AT_ONCE = 1 << 18  # weights of averages that move at once


@dataclass(frozen=True)
class Steered(Merged):
    """A merge by embedding, and how it came about.

    Args:
        average: where the search started.
        end: where it ended, in common scales, before data had a say.
        like: the first endpoint.
        dataset: what had a say; None for none.
    """

    average: Merged
    end: Tensors
    like: Checkpoint
    dataset: Dataset | None

    @classmethod
    def towards(cls, average: Merged, end: Tensors, like: Checkpoint, dataset: Dataset | None) -> Self:
        """As far along the way from an average to the end of a search as data asks for; without data, all of it."""
        chosen = (
            _as_far_as_pays(average, end, like, dataset) if dataset else Merged(end, average.aligned, average.weights)
        )
        return cls(chosen.common, average.aligned, average.weights, average, end, like, dataset)


def merge_by_embedding(
    items: Sequence[Item], options: MergeOptions, encoder: Encoder, maximise: Maximised | None = None
) -> Merged:
    """The aligned average, moved towards the weighted sum of what an encoder sees of its endpoints.

    Where there is data, the network goes as far along the way as lowers the loss on its training part.

    Args:
        items: two or more networks with their symmetries.
        options: as for `merge`.
        encoder: a sweep encoder; it stays as it is.
        maximise: `accuracy` for the highest predicted accuracy near the average, in place of the embedding.

    Raises:
        UsageError: as `merge` does, or an encoder that lets no gradients through.
        CheckpointRefusedError: as `merge` does, or weights that are no plain matrices or convolutions.
    """
    return merge_each_by_embedding([items], options, encoder, maximise)[0]


def merge_each_by_embedding(
    groups: Sequence[Sequence[Item]], options: MergeOptions, encoder: Encoder, maximise: Maximised | None = None
) -> list[Merged]:
    """The same for several groups of one structure, whose averages move at once, which takes less time.

    Raises:
        UsageError: see `merge_by_embedding`.
        CheckpointRefusedError: see there, too.
    """
    if not isinstance(encoder, Gnn):
        hint = "give --encoder gnn, or one that `wembed train` made"
        raise UsageError(f"merging by embedding takes a gnn encoder, found {encoder.name}", hint)
    averages = [merge(items, options) for items in groups]
    weights = averages[0].weights
    if max(weights) == 1.0:  # an endpoint is what it should look like
        return averages
    spec = averages[0].aligned.spec
    same = [[(checkpoint, spec) for checkpoint, _ in items] for items in groups]
    size = max(1, _AT_ONCE // groups[0][0][0].parameters)
    found: list[Merged] = []
    for start in range(0, len(groups), size):
        part, likes = averages[start : start + size], [items[0][0] for items in groups[start : start + size]]
        moved = search(part, likes, Goal.between(same[start : start + size], weights, encoder, maximise))
        found += [Steered.towards(*each, options.dataset) for each in zip(part, moved, likes, strict=True)]
    return found


def _as_far_as_pays(average: Merged, end: Tensors, like: Checkpoint, dataset: Dataset) -> Merged:
    """The one that loses least on the training part, each renewed as the average was."""
    tried = [average]
    for share in _SHARES:
        between = {name: start + share * (end[name] - start) for name, start in average.common.items()}
        tried.append(finished(average.aligned, average.weights, between, like, dataset))
    return min(tried, key=lambda merged: training_loss(merged.common, like, dataset))
