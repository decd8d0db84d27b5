"""Networks of one structure in; what an encoder sees of them, differentiable in their weights and biases, out.

What gradients cannot pass, quantiles and spectra of blocks and the canonical scales, is held still.

Legend: B networks, T targets, S sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.encoder.batches import Batch, batched
from wembed.errors import CheckpointRefusedError
from wembed.graph import build_graph
from wembed.symmetry import SymmetrySpec, canonical
from wembed.symmetry.canonical_form.views import DenseView

_TINY = 1e-12  # under a root, so that it has a slope where a channel carries nothing
_SIZE_FLOOR = 1e-3  # under the logarithm of a block's size, as in its features


@dataclass(frozen=True)
class SeenLayer:
    """The canonical scales through which one layer of B networks is seen.

    Args:
        weight: name of its tensor.
        bias: name of its tensor, "" for none.
        up: factors of the targets, [B, T].
        down: factors of the sources, [B, S].
        shows_bias: where the bias of the file is all of the canonical one, no norm or constant in it, [B, 1].
    """

    weight: str
    bias: str
    up: Tensor
    down: Tensor
    shows_bias: Tensor


@dataclass(frozen=True)
class Seen:
    """B networks as they are now, and how to see them with other weights.

    Args:
        layers: in the order of the batch's links.
        batch: of the networks.
    """

    layers: tuple[SeenLayer, ...]
    batch: Batch

    @classmethod
    def of(cls, checkpoints: Sequence[Checkpoint], spec: SymmetrySpec, device: torch.device | None = None) -> Self:
        """Networks of one spec.

        Raises:
            CheckpointRefusedError: a weight whose axes are not targets, sources, taps, in that order.
        """
        tensors = {layer.name: layer.tensors for layer in spec.layers if layer.kind == "dense"}
        if len({roles["weight"] for roles in tensors.values()}) < len(tensors):
            raise CheckpointRefusedError(f"{checkpoints[0].path} is not mergeable by embedding: it has fused weights")
        graphs = [build_graph(checkpoint, spec) for checkpoint in checkpoints]
        flows = [{view.name: view for view in canonical(checkpoint, spec).flow.dense} for checkpoint in checkpoints]
        layers = []
        for name in (block.name for block in graphs[0].blocks):
            views = [flow[name] for flow in flows]
            layers.append(_seen_layer(checkpoints, views, tensors[name], device))
        batch = batched(graphs)
        return cls(tuple(layers), batch.to(device) if device else batch)

    def at(self, tensors: Mapping[str, Tensor]) -> Batch:
        """The networks with other weights and biases, [B, ...] by name."""
        links, sizes = [], []
        for layer, link in zip(self.layers, self.batch.links, strict=True):
            grid = (*layer.up.shape, layer.down.shape[1], -1)
            seen = tensors[layer.weight].reshape(grid) * layer.up[:, :, None, None] * layer.down[:, None, :, None]
            size = (seen.square().mean((1, 2, 3)) + _TINY).sqrt()  # [B]
            sizes.append((seen[0, 0].numel() * size + _SIZE_FLOOR).log())
            bias = tensors[layer.bias] * layer.up if layer.bias else link.bias
            links.append(replace(link, stored=seen, size=size, bias=torch.where(layer.shows_bias, bias, link.bias)))
        blocks = torch.cat([torch.stack(sizes, 1)[..., None], self.batch.blocks[..., 1:]], -1)
        return replace(self.batch, links=tuple(links), blocks=blocks)


def _seen_layer(
    checkpoints: Sequence[Checkpoint],
    views: Sequence[DenseView],
    roles: Mapping[str, str],
    device: torch.device | None,
) -> SeenLayer:
    weight, bias = roles["weight"], roles.get("bias", "")
    for checkpoint, view in zip(checkpoints, views, strict=True):
        _check_plain(checkpoint, view, weight)
    shown = [
        bool(bias) and np.allclose(checkpoint.read(bias).astype(np.float64) * view.up, view.bias, rtol=1e-4, atol=1e-6)
        for checkpoint, view in zip(checkpoints, views, strict=True)
    ]
    up, down = (_stacked([getattr(view, name) for view in views]).to(device) for name in ("up", "down"))
    return SeenLayer(weight, bias, up, down, torch.tensor(shown, device=device)[:, None])


def _check_plain(checkpoint: Checkpoint, view: DenseView, name: str) -> None:
    """Raises a CheckpointRefusedError if a layer is not seen as its tensor times factors."""
    weight, expected = checkpoint.read(name).astype(np.float64), view.weight()
    if weight.size == expected.size:
        seen = weight.reshape(len(view.up), len(view.down), -1) * view.up[:, None, None] * view.down[None, :, None]
        if np.allclose(seen, expected, rtol=1e-4, atol=1e-6 * float(np.abs(expected).max())):
            return
    found = f"tensor {name} is no matrix or convolution with its targets first"
    raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable by embedding: {found}")


def _stacked(values: Sequence[NDArray[np.float64]]) -> Tensor:
    return torch.from_numpy(np.stack(values)).float()
