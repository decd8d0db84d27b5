"""Learned probes: inputs that are pushed through the network itself, and what comes out.

Nothing tells so directly how good a network is as what it answers, and the answers do not depend on the order, scale
or sign of hidden neurons. The inputs are learned, no data is needed (Kahana et al., Deep Linear Probe Generators for
Weight Space Learning, 2024). For a chain of dense layers the answers are exact. Strides, pooling and the size of images
stand in no file: images of 8 x 8 pixels are taken, convolutions keep their size, and max pooling follows each while
pixels last.

Legend: B networks of one structure, P probes, N nodes, H and W pixels.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from wembed.encoder.batches import Batch, Link, Nodes

_IMAGE = 8  # pixels along each side
_SMALLEST = 2  # pixels: smaller images are not halved any more
_CODE = 64  # length of the code that tells an input or an output by its place
_CLASS = 8  # what an answer keeps of its classes
_DROPPED = 0.5  # share of the answers' features that training leaves out
_LARGEST_CODE = 1 << 16  # places; those beyond share codes

_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda values: values,
    "max_pool": lambda values: values,
    "leaky_relu": nn.functional.leaky_relu,
    "prelu": lambda values: nn.functional.leaky_relu(values, 0.25),
    "tanh": torch.tanh,
    "sin": torch.sin,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "elu": nn.functional.elu,
    "celu": nn.functional.celu,
    "sigmoid": torch.sigmoid,
    "relu6": nn.functional.relu6,
    "hardswish": nn.functional.hardswish,
}  # all others, the unknown too, are taken for ReLU


class Probes(nn.Module):
    """Learned inputs, and a reading of the answers.

    Args:
        count: P.
        width: of the reading.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.count = count
        self.inputs = nn.Linear(_CODE, count)
        nn.init.normal_(self.inputs.weight)
        self.classes = nn.Linear(_CODE, _CLASS)
        self.reading = nn.Sequential(
            nn.Dropout(_DROPPED), nn.Linear(count * (2 * _CLASS + 2), 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, batch: Batch) -> Tensor:
        """What the answers at all ends of the network say, [B, width]."""
        sources = {link.source for link in batch.links}
        ends = [link.target for link in batch.links if link.target not in sources] or [batch.links[-1].target]
        answers = self._answers(batch)
        readings = [self.reading(self._read(answers[end], batch.nodes[end])) for end in dict.fromkeys(ends)]
        return torch.stack(readings).mean(0)

    def _answers(self, batch: Batch) -> dict[str, Tensor]:
        """Group -> what its nodes read, [B, P, N], or [B, P, N, H, W] where pixels are left."""
        read: dict[str, Tensor] = {}
        values: dict[str, Tensor] = {}
        for link in batch.links:
            nodes = batch.nodes[link.source]
            if link.source not in values:
                known = link.source in read
                values[link.source] = _activated(read[link.source], nodes) if known else self._start(link, nodes)
            new = _through(link, values[link.source], nodes)
            read[link.target] = read[link.target] + new if link.target in read else new
        return read

    def _start(self, link: Link, nodes: Nodes) -> Tensor:
        """The probes as a group's values; nodes without a place all get the same."""
        batch, size = nodes.bias.shape
        pixels = _IMAGE**2 if link.taps else 1
        codes = _codes(pixels * (size if nodes.ordered else 1)).to(nodes.bias)
        values: Tensor = self.inputs(codes).T  # [P, N pixels], channels first as in a flat input
        if link.taps:
            values = values.unflatten(1, (-1, _IMAGE, _IMAGE))  # type: ignore[no-untyped-call]
        return values.expand(batch, self.count, size, *values.shape[2:])

    def _read(self, values: Tensor, nodes: Nodes) -> Tensor:
        """What the outputs [B, P, N] say: shares and sizes of the classes, sharpness, spread, [B, P (2 C + 2)]."""
        if values.ndim > 3:
            values = values.mean((3, 4))
        size = values.shape[2]
        codes = self.classes(_codes(size if nodes.ordered else 1).to(values)).expand(size, -1)  # [N, C]
        shares, logs = values.softmax(-1), values.log_softmax(-1)
        centred = values - values.mean(-1, keepdim=True)
        sharpness = -(shares * logs).sum(-1)
        spread = (centred.square().mean(-1) + 1e-12).sqrt().asinh()
        return torch.cat(
            [(shares @ codes).flatten(1), (centred.asinh() @ codes / math.sqrt(size)).flatten(1), sharpness, spread], 1
        )


def _activated(values: Tensor, nodes: Nodes) -> Tensor:
    """Values after the group's activation, and the norm behind it if there is one; images are halved."""
    shape = (len(values), 1, -1, *[1] * (values.ndim - 3))
    values = _ACTIVATIONS.get(nodes.activation, torch.relu)(values)
    values = values * nodes.gain.view(shape) + nodes.shift.view(shape)
    if values.ndim == 3 or values.shape[-1] <= _SMALLEST:
        return values
    return _pooled(values, (values.shape[-2] // 2, values.shape[-1] // 2), nodes)


def _through(link: Link, values: Tensor, nodes: Nodes) -> Tensor:
    """What a link makes of its source's values."""
    if values.ndim > 3 and len(link.taps) > 1:
        return _convolved(link, values)
    if values.ndim == 3:
        weight = link.weight.sum(3)
    elif link.taps:  # pixels became part of one axis, channels first
        weight, values = link.weight.flatten(2), _pooled(values, _grid(math.prod(link.taps)), nodes).flatten(2)
    else:
        weight, values = link.weight.flatten(2), values.mean((3, 4))
    return torch.einsum("bts,bps->bpt", weight, values) + link.bias[:, None]


def _pooled(values: Tensor, grid: tuple[int, int], nodes: Nodes) -> Tensor:
    """Images pooled to a grid: by their largest values, or by the mean where signs are open."""
    pool = nn.functional.adaptive_avg_pool2d if nodes.signed else nn.functional.adaptive_max_pool2d
    return pool(values.flatten(0, 1), grid).reshape(*values.shape[:3], *grid)


def _grid(pixels: int) -> tuple[int, int]:
    """The grid of that many pixels that is nearest to a square."""
    height = next(side for side in range(math.isqrt(pixels), 0, -1) if pixels % side == 0)
    return height, pixels // height


def _convolved(link: Link, values: Tensor) -> Tensor:
    """All networks at once, by one convolution of B groups."""
    batch, targets = link.weight.shape[:2]
    kernel = link.weight.reshape(*link.weight.shape[:3], -1, *link.taps[-2:]).sum(3)  # [B, T, S, h, w]
    height, width = kernel.shape[-2:]
    stacked = values.transpose(0, 1).flatten(1, 2)  # [P, B S, H, W]
    padded = nn.functional.pad(stacked, ((width - 1) // 2, width // 2, (height - 1) // 2, height // 2))
    found = nn.functional.conv2d(padded, kernel.flatten(0, 1), groups=batch)  # [P, B T, H, W]
    by_network = found.reshape(len(found), batch, targets, *found.shape[-2:]).transpose(0, 1)
    return by_network + link.bias[:, None, :, None, None]


def _codes(size: int) -> Tensor:
    """Fixed random codes of places, [size, 64]: a place has one code, however many there are."""
    # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
    count = min(size, _LARGEST_CODE)
    codes = np.random.RandomState(0).standard_normal((count, _CODE)) / math.sqrt(_CODE)
    return torch.from_numpy(codes[np.arange(size) % _LARGEST_CODE]).float()
