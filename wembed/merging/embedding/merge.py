"""Networks, how to average them and an encoder in; averages that were moved until the encoder sees a merge out."""

from collections.abc import Sequence

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder, Item
from wembed.encoder.gnn import Gnn
from wembed.errors import UsageError
from wembed.merging.combine import Merged, MergeOptions, finished, merge
from wembed.merging.embedding.goals import Goal, Maximised
from wembed.merging.embedding.search import search
from wembed.merging.tensors import Tensors, as_checkpoint
from wembed.models import Dataset, load_module, score

_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)  # of the way from an average to where a search ends, tried on data
_AT_ONCE = 1 << 18  # weights of averages that move at once


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
        found += [_ended(*each, options.dataset) for each in zip(part, moved, likes, strict=True)]
    return found


def _ended(average: Merged, moved: Tensors, like: Checkpoint, dataset: Dataset | None) -> Merged:
    """What a search found, as far along the way to it as data asks for."""
    if dataset is None:
        return Merged(moved, average.aligned, average.weights)
    tried = [average]
    for share in _SHARES:
        between = {name: start + share * (moved[name] - start) for name, start in average.common.items()}
        tried.append(finished(average.aligned, average.weights, between, like, dataset))
    return min(tried, key=lambda merged: _loss(merged.common, like, dataset))


def _loss(tensors: Tensors, like: Checkpoint, dataset: Dataset) -> float:
    return score(load_module(as_checkpoint(tensors, like)), dataset.train_inputs, dataset.train_labels).loss
