"""Merging by embedding: the aligned average, moved until a frozen encoder sees it between its endpoints.

The embedding of an average is not the average of the embeddings. From the aligned average on, gradients through the
encoder move the weight matrices towards the interpolated embedding, held back by their distance from the average. What
gradients cannot pass (quantiles and spectra of blocks, the canonical scales) is held still and refreshed now and then;
the signature of single neurons, which no average shares with its endpoints, is left out. A first, plain version: on
digits its result is nearer to the interpolated embedding and less accurate than the average that it starts from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder, Item, unit_rows
from wembed.encoder.batches import Batch, batched
from wembed.encoder.gnn import Gnn
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.graph import build_graph
from wembed.merging.combine import Merged, MergeOptions, finished, merge
from wembed.merging.tensors import Tensors, as_checkpoint
from wembed.symmetry import SymmetrySpec, canonical
from wembed.symmetry.canonical_form.views import DenseView

_STEPS = 60  # of Adam
_REFRESH = 15  # steps between two looks at what is held still
_LEARNING_RATE = 0.01  # in root mean squares of a layer's weights
_TINY = 1e-12  # under a root, so that it has a slope where a channel carries nothing
_SIZE_FLOOR = 1e-3  # under the logarithm of a block's size, as in its features
_PENALTY = 10.0  # on the mean squared step, in the same unit

Steps = Mapping[str, Tensor]  # weight's name -> the step, in root mean squares of the weight, shaped like it


def merge_by_embedding(items: Sequence[Item], options: MergeOptions, encoder: Encoder) -> Merged:
    """The aligned average, moved towards the weighted sum of its endpoints' embeddings.

    Args:
        items: two or more networks with their symmetries.
        options: as for `merge`.
        encoder: a sweep encoder; it stays as it is.

    Raises:
        UsageError: as `merge` does, or an encoder that lets no gradients through.
        CheckpointRefusedError: as `merge` does, or weights that are no plain matrices or convolutions.
    """
    if not isinstance(encoder, Gnn):
        hint = "give --encoder gnn, or one that `wembed train` made"
        raise UsageError(f"merging by embedding takes a gnn encoder, found {encoder.name}", hint)
    average = merge(items, options)
    target = np.asarray(average.weights) @ learned_part(encoder, items)
    moved = _approach(average, items[0][0], encoder, torch.from_numpy(target).float())
    return finished(average.aligned, average.weights, moved, items[0][0], options.dataset)


def learned_part(encoder: Gnn, items: Sequence[Item]) -> NDArray[np.float32]:
    """What an encoder learned to see of networks, unit rows [B, global_dim]: no signature of single neurons."""
    learned = encoder.embed(items)[:, : encoder.config.global_dim]
    return unit_rows(learned.astype(np.float64))


def _approach(average: Merged, like: Checkpoint, encoder: Gnn, target: Tensor) -> Tensors:
    """The tensors of an average after descending to a target embedding [D]."""
    spec = average.aligned.spec
    target = target.to(encoder.device)
    steps = {
        layer.tensors["weight"]: torch.zeros(average.common[layer.tensors["weight"]].shape, requires_grad=True)
        for layer in spec.layers
        if layer.kind == "dense"
    }
    optimizer = torch.optim.Adam(steps.values(), _LEARNING_RATE)
    for count in range(_STEPS):
        if count % _REFRESH == 0:
            held = _Held.of(as_checkpoint(_moved(average.common, steps), like), spec)
        weights = {name: _weight(average.common[name], steps[name]) for name in held.views}
        seen = encoder.module(held.batch_of(weights).to(encoder.device))[0, : len(target)]
        miss = 1.0 - torch.nn.functional.cosine_similarity(seen, target, dim=0)
        size = sum((step.square().mean() for step in steps.values()), torch.zeros(()))
        # Only the steps get gradients: the encoder is not to be trained.
        gradients = torch.autograd.grad(miss.cpu() + _PENALTY * size / len(steps), list(steps.values()))
        for step, gradient in zip(steps.values(), gradients, strict=True):
            step.grad = gradient.nan_to_num(0.0)  # the norm of a channel that carries nothing has no slope
        optimizer.step()
    return _moved(average.common, steps)


def _weight(start: NDArray[np.float64], step: Tensor) -> Tensor:
    return torch.from_numpy(start).float() + step * float(np.sqrt(np.mean(np.square(start))))


def _moved(start: Tensors, steps: Steps) -> Tensors:
    """Tensors after the steps of their weights."""
    return {**start, **{name: _weight(start[name], step).detach().double().numpy() for name, step in steps.items()}}


@dataclass(frozen=True)
class _Held:
    """What an encoder sees of a network besides its weights, and the canonical scales through which it sees these.

    Args:
        views: weight's name -> its layer in the canonical view, in the order of the batch's links.
        batch: of the one network.
    """

    views: Mapping[str, DenseView]
    batch: Batch

    @classmethod
    def of(cls, checkpoint: Checkpoint, spec: SymmetrySpec) -> Self:
        """The network as it is now.

        Raises:
            CheckpointRefusedError: a weight whose axes are not targets, sources, taps, in that order.
        """
        names = {layer.name: layer.tensors["weight"] for layer in spec.layers if layer.kind == "dense"}
        if len(set(names.values())) < len(names):
            raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable by embedding: it has fused weights")
        graph = build_graph(checkpoint, spec)
        flow = {view.name: view for view in canonical(checkpoint, spec).flow.dense}
        held = cls({names[block.name]: flow[block.name] for block in graph.blocks}, batched([graph]))
        for name, view in held.views.items():
            weight, expected = checkpoint.read(name), view.weight()
            seen = held.seen(name, torch.from_numpy(weight)).numpy() if weight.size == expected.size else None
            if seen is None or not np.allclose(seen, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max()):
                found = f"tensor {name} is no matrix or convolution with its targets first"
                raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable by embedding: {found}")
        return held

    def seen(self, name: str, weight: Tensor) -> Tensor:
        """A weight of the file through the canonical scales, [T, S, taps]."""
        up, down = (torch.from_numpy(factors).float() for factors in (self.views[name].up, self.views[name].down))
        return weight.float().reshape(len(up), len(down), -1) * up[:, None, None] * down[None, :, None]

    def batch_of(self, weights: Mapping[str, Tensor]) -> Batch:
        """The batch of the network with other weights, differentiable in them."""
        links, sizes = [], []
        for (name, weight), link in zip(weights.items(), self.batch.links, strict=True):
            seen = self.seen(name, weight)  # [T, S, taps]
            size = (seen.square().mean() + _TINY).sqrt()
            sizes.append((seen[0].numel() * size + _SIZE_FLOOR).log())
            links.append(replace(link, stored=seen[None], size=size[None]))
        blocks = torch.cat([torch.stack(sizes)[None, :, None], self.batch.blocks[..., 1:]], -1)
        return replace(self.batch, links=tuple(links), blocks=blocks)
