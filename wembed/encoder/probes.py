"""Learned probes: inputs that are pushed through the network itself, and what comes out.

Nothing tells so directly how good a network is as what it answers, and the answers do not depend on the order, scale
or sign of hidden neurons. The inputs are learned, no data is needed (Kahana et al., Deep Linear Probe Generators for
Weight Space Learning, 2024). For a chain of dense layers the answers are exact. Strides, pooling and the size of images
stand in no file: images of 8 x 8 pixels are taken, convolutions keep their size, and max pooling follows each while
pixels last.

Legend: B networks of one structure, P probes, N nodes, H and W pixels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.device import to_device
from wembed.encoder.batches import Batch, Link, Nodes

_IMAGE = 8  # pixels along each side
_SMALLEST = 2  # pixels: smaller images are not halved any more
_CODE = 64  # length of the code that tells an input or an output by its place
_CLASS = 8  # what an answer keeps of its classes
_DROPPED = 0.5  # share of the answers' features that training leaves out
_LARGEST_CODE = 1 << 16  # places; those beyond share codes
_SAY = 4  # power of its accuracy that a network's say in the consensus grows with
_POOLED = 6  # means over probes

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


@dataclass(frozen=True)
class Task:
    """What networks of one kind take and give: those of one data set share it.

    Args:
        inputs: number of values that enter a network, pixels of a probe image included.
        classes: number of values that leave it.
    """

    inputs: int
    classes: int

    @property
    def buffer(self) -> str:
        """The name of the buffer that holds its consensus."""
        return f"consensus_{self.inputs}_{self.classes}"


@dataclass(frozen=True)
class Vote:
    """What networks have to say on one task together, which adds up over several sets of them.

    Args:
        shares: of the classes, summed as much as each network counts, [P, classes].
        say: how much they count together, ().
    """

    shares: Tensor
    say: Tensor

    @classmethod
    def none(cls, consensus: Tensor) -> "Vote":
        """That of no network, on a task whose consensus has this shape."""
        return cls(torch.zeros_like(consensus), consensus.new_zeros(()))


class Probes(nn.Module):
    """Learned inputs, and a reading of the answers.

    For every task that was trained on, the probes carry the answer that good networks agree on, as shares of the
    classes: agreeing with it on learned inputs is much like being right on real ones.

    Args:
        count: P.
        width: of the reading.
        tasks: those that have a consensus.
    """

    def __init__(self, count: int, width: int, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.count = count
        self.tasks = tuple(tasks)
        self.inputs = nn.Linear(_CODE, count)
        nn.init.normal_(self.inputs.weight)
        self.classes = nn.Linear(_CODE, _CLASS)
        self.single = nn.Sequential(
            nn.Dropout(_DROPPED), nn.Linear(count * (2 * _CLASS + 4), 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.pooled = nn.Sequential(nn.Linear(_POOLED, width), nn.GELU(), nn.Linear(width, width))
        for task in tasks:
            self.register_buffer(task.buffer, torch.full((count, task.classes), 1.0 / task.classes))

    def forward(self, batch: Batch) -> Tensor:
        """What the answers at all ends of the network say, [B, width]."""
        answers = self.answers(batch)
        readings = [self._read(own, batch.nodes[end], self._consensus(batch, end)) for end, own in answers.items()]
        return torch.stack(readings).mean(0)

    def answers(self, batch: Batch) -> dict[str, Tensor]:
        """What networks answer, end of the network -> [B, P, N]; images by their mean."""
        found = self._answers(batch)
        return {end: _flat(found[end]) for end in ends(batch)}

    @torch.no_grad()
    def votes(self, batches: Sequence[Batch], accuracies: Sequence[Tensor]) -> list[Vote]:
        """What given networks answer together, the good ones counting most; for every task, in order.

        Args:
            batches: the networks that are trained on.
            accuracies: theirs, [B] each; where it is NaN a network has no say.
        """
        votes = {task: Vote.none(getattr(self, task.buffer)) for task in self.tasks}
        for batch, accuracy in zip(batches, accuracies, strict=True):
            say = accuracy.nan_to_num(0.0) ** _SAY
            for end, answers in self.answers(batch).items():
                vote = votes[task_of(batch, end)]
                vote.shares.add_(torch.einsum("b,bpc->pc", say, answers.softmax(-1)))
                vote.say.add_(say.sum())
        return list(votes.values())

    @torch.no_grad()
    def agree(self, votes: Sequence[Vote]) -> None:
        """Set every task's consensus to the mean answer of those who voted; one that nobody has a say in stays."""
        for task, vote in zip(self.tasks, votes, strict=True):
            if vote.say > 0:  # else nobody knows how good any of them is
                getattr(self, task.buffer).copy_(vote.shares / vote.say)

    def _consensus(self, batch: Batch, end: str) -> Tensor | None:
        return getattr(self, task_of(batch, end).buffer, None)

    def _answers(self, batch: Batch) -> dict[str, Tensor]:
        """Group -> what its nodes read, [B, P, N], or [B, P, N, H, W] where pixels are left.

        A stream that is written to after it was read is read again, at root mean square 1: norms stand there, mostly.
        """
        read: dict[str, Tensor] = {}
        values: dict[str, Tensor] = {}
        streams: set[str] = set()
        for link in batch.links:
            nodes = batch.nodes[link.source]
            if link.source not in values:
                known = link.source in read
                found = _activated(read[link.source], nodes) if known else self._start(link, nodes)
                values[link.source] = _of_size_one(found) if link.source in streams else found
            new = _through(link, values[link.source], nodes)
            read[link.target] = _added(read[link.target], new, batch.nodes[link.target]) if link.target in read else new
            if values.pop(link.target, None) is not None:
                streams.add(link.target)
        return read

    def _start(self, link: Link, nodes: Nodes) -> Tensor:
        """The probes as a group's values; nodes without a place all get the same, and zero where signs are open."""
        batch, size = nodes.bias.shape
        pixels = _IMAGE**2 if link.taps else 1
        codes = _codes_beside(nodes.bias, pixels * (size if nodes.ordered else 1))
        values: Tensor = self.inputs(codes).T  # [P, N pixels], channels first as in a flat input
        if link.taps:
            values = values.unflatten(1, (-1, _IMAGE, _IMAGE))  # type: ignore[no-untyped-call]
        values = values.expand(batch, self.count, size, *values.shape[2:])
        return torch.zeros_like(values) if nodes.signed else values

    def _read(self, values: Tensor, nodes: Nodes, consensus: Tensor | None) -> Tensor:
        """A reading [B, width] of what leaves a network, [B, P, N]."""
        size = values.shape[2]
        codes = self.classes(_codes_beside(values, size if nodes.ordered else 1)).expand(size, -1)  # [N, C]
        shares, logs = values.softmax(-1), values.log_softmax(-1)
        centred = values - values.mean(-1, keepdim=True)
        sharpness = -(shares * logs).sum(-1)
        spread = (centred.square().mean(-1) + 1e-12).sqrt().asinh()
        agreement = _Agreement.of(shares, logs, consensus)
        classes = [(shares @ codes).flatten(1), (centred.asinh() @ codes / math.sqrt(size)).flatten(1)]
        single = torch.cat([*classes, sharpness, spread, agreement.shared, agreement.missed], 1)
        pooled = torch.stack([*agreement.means, sharpness.mean(1), spread.mean(1)], 1)
        reading: Tensor = self.single(single) + self.pooled(pooled)
        return reading


@dataclass(frozen=True)
class _Agreement:
    """How far answers agree with a consensus, probe by probe [B, P]; zeros where there is none.

    Args:
        shared: probability that two answers drawn from both are the same.
        missed: cross entropy, in units of three nats.
        right: share of the consensus' first class.
        certainty: of the consensus, as weights of the probes, [P].
    """

    shared: Tensor
    missed: Tensor
    right: Tensor
    certainty: Tensor

    @classmethod
    def of(cls, shares: Tensor, logs: Tensor, consensus: Tensor | None) -> "_Agreement":
        zeros = shares.new_zeros(shares.shape[:2])
        if consensus is None:
            return cls(zeros, zeros, zeros, zeros[0])
        missed = -(logs.clamp(min=-12.0) * consensus).sum(-1) / 3.0
        first = consensus.argmax(-1)[None, :, None].expand(len(shares), -1, 1)
        certainty = consensus.amax(-1)
        return cls((shares * consensus).sum(-1), missed, shares.gather(2, first)[..., 0], certainty / certainty.sum())

    @property
    def means(self) -> list[Tensor]:
        """Over probes, plain and weighted by certainty, [B] each."""
        return [
            self.shared.mean(1), self.missed.mean(1), self.right @ self.certainty, self.missed @ self.certainty
        ]  # fmt: skip


def task_of(batch: Batch, end: str) -> Task:
    """The task of networks of one structure, as seen at one of their ends."""
    first = batch.links[0]
    pixels = _IMAGE**2 if first.taps else 1
    return Task(pixels * batch.nodes[first.source].bias.shape[1], batch.nodes[end].bias.shape[1])


def tasks_of(batches: Sequence[Batch]) -> tuple[Task, ...]:
    """All tasks of some networks, in order."""
    found = {task_of(batch, end) for batch in batches for end in ends(batch)}
    return tuple(sorted(found, key=lambda task: (task.inputs, task.classes)))


def ends(batch: Batch) -> list[str]:
    """The groups that no link reads, or the last one.

    Those with places are preferred (gates are read by no link either); what is known up to signs only is no answer.
    """
    sources = {link.source for link in batch.links}
    plain = [link.target for link in batch.links if not batch.nodes[link.target].signed]
    ends = list(dict.fromkeys(end for end in plain if end not in sources))
    return [end for end in ends if batch.nodes[end].ordered] or ends or plain[-1:]


def _flat(values: Tensor) -> Tensor:
    """Answers [B, P, N]; images by their mean."""
    return values.mean((3, 4)) if values.ndim > 3 else values


def _activated(values: Tensor, nodes: Nodes) -> Tensor:
    """Values after the group's activation, and the norm behind it if there is one; images are halved."""
    shape = (len(values), 1, -1, *[1] * (values.ndim - 3))
    values = _ACTIVATIONS.get(nodes.activation, torch.relu)(values)
    values = values * nodes.gain.view(shape) + nodes.shift.view(shape)
    if values.ndim == 3 or values.shape[-1] <= _SMALLEST:
        return values
    return _pooled(values, (values.shape[-2] // 2, values.shape[-1] // 2), nodes)


def _added(values: Tensor, new: Tensor, nodes: Nodes) -> Tensor:
    """The sum of what two links write; the larger of two images is pooled to the smaller."""
    if values.ndim != new.ndim:
        return _flat(values) + _flat(new)
    grid = [min(sizes) for sizes in zip(values.shape[3:], new.shape[3:], strict=True)]
    both = [
        part if list(part.shape[3:]) == grid else _pooled(part, (grid[0], grid[1]), nodes) for part in (values, new)
    ]
    return both[0] + both[1]


def _of_size_one(values: Tensor) -> Tensor:
    """Each probe's values over the root mean square of all nodes."""
    return values / (values.flatten(2).square().mean(2)[(..., *[None] * (values.ndim - 2))] + 1e-12).sqrt()


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
    weight = link.weight
    batch, targets = weight.shape[:2]
    kernel = weight.reshape(*weight.shape[:3], -1, *link.taps[-2:]).sum(3)  # [B, T, S, h, w]
    height, width = kernel.shape[-2:]
    stacked = values.transpose(0, 1).flatten(1, 2)  # [P, B S, H, W]
    padded = nn.functional.pad(stacked, ((width - 1) // 2, width // 2, (height - 1) // 2, height // 2))
    found = nn.functional.conv2d(padded, kernel.flatten(0, 1), groups=batch)  # [P, B T, H, W]
    by_network = found.reshape(len(found), batch, targets, *found.shape[-2:]).transpose(0, 1)
    return by_network + link.bias[:, None, :, None, None]


def _codes_beside(values: Tensor, size: int) -> Tensor:
    """The codes of places [size, 64], where some values are."""
    return to_device(torch.from_numpy(_codes(size)), values.device).to(values.dtype)


@lru_cache(maxsize=16)
def _codes(size: int) -> NDArray[np.float32]:
    """Fixed random codes of places, [size, 64]: those of 10 classes have nothing to do with those of 3."""
    # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
    count = min(size, _LARGEST_CODE)
    codes = np.random.RandomState(size).standard_normal((count, _CODE)) / math.sqrt(_CODE)
    return codes.astype(np.float32)[np.arange(size) % _LARGEST_CODE]
