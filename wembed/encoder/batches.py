"""Weight graphs of one structure as tensors: what the learned encoders run on.

Weights of small networks are stacked; those of a large one are read from its file piece by piece, as often as needed.

Legend: B networks of one structure, N nodes, T targets, S sources, K taps, F features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.device import to_device, works_in_cache
from wembed.encoder.features import BlockFeatures, Energy, Weight
from wembed.encoder.fingerprint import FingerprintConfig, token_features, token_mean, tokens_of
from wembed.encoder.neurons import NEURON_FEATURES
from wembed.encoder.reading import Reading, is_large
from wembed.graph import Group, HeadLink, WeightGraph

FLAGS = 3  # of a group
_PLACES = 4  # frequencies that tell ordered nodes apart
NODE_FEATURES = 8 + 2 * _PLACES
BLOCK_FEATURES = sum(BlockFeatures.lengths()) + 1
SIGNATURE = NEURON_FEATURES
TOKENS = token_features(FingerprintConfig())

_PIECE = 1 << 17  # entries that are worked on at once: they stay in the processor's cache


@dataclass(frozen=True)
class Piece:
    """A part of the weights of B networks, [B, t, s, K], at these targets and sources."""

    targets: slice
    sources: slice
    weight: Tensor


@dataclass(frozen=True)
class Link:
    """One block of B networks.

    Args:
        source: group name.
        target: group name.
        taps: the grid of the taps, () for a plain matrix.
        bias: [B, T].
        size: root mean square of the weight, [B].
        stored: canonical weight, [B, T, S, K]; None where it is read when needed.
        opened: where it is read then.
    """

    source: str
    target: str
    taps: tuple[int, ...]
    bias: Tensor
    size: Tensor
    stored: Tensor | None
    opened: Weight | None = None

    @property
    def weight(self) -> Tensor:
        """All of the canonical weight, [B, T, S, K]."""
        if self.stored is not None:
            return self.stored
        assert self.opened is not None  # one of both is there
        return to_device(torch.from_numpy(self.opened.whole())[None], self.bias.device)

    def pieces(self) -> Iterator[Piece]:
        """The canonical weight in parts that fit the memory, and the cache where that is what is fast.

        While one is worked on the next is read, and a CUDA device gets it while it still works.
        """
        if self.stored is not None:
            yield Piece(slice(0, self.stored.shape[1]), slice(0, self.stored.shape[2]), self.stored)
            return
        assert self.opened is not None  # one of both is there
        device = self.bias.device
        for tile in self.opened:
            rows = max(1, _PIECE // max(1, tile.weight[0].size)) if works_in_cache(device) else len(tile.weight)
            for start in range(0, len(tile.weight), rows):
                part = np.ascontiguousarray(tile.weight[start : start + rows])
                targets = slice(tile.targets.start + start, tile.targets.start + start + len(part))
                yield Piece(targets, tile.sources, to_device(torch.from_numpy(part)[None], device))


@dataclass(frozen=True)
class Nodes:
    """The nodes of one group in B networks.

    Args:
        features: what they know of themselves, [B, N, F].
        bias: squashed, [B, N]; odd where signs are open.
        gain: [B, N], ones where no norm stands behind them.
        shift: [B, N], zeros where none does.
        signed: whether their signs are open.
        ordered: whether their places mean something.
        depth: of the blocks that read or write them, 0 to 1.
        activation: what they do with what they read.
    """

    features: Tensor
    bias: Tensor
    gain: Tensor
    shift: Tensor
    signed: bool
    ordered: bool
    depth: float
    activation: str

    @property
    def flags(self) -> list[float]:
        """What kind of group it is, as features [FLAGS]."""
        return [float(self.ordered), float(self.signed), self.depth]


@dataclass(frozen=True)
class Batch:
    """B networks of one structure.

    Args:
        links: blocks in data-flow order.
        heads: groups that share heads.
        nodes: by group name.
        blocks: features of the blocks, [B, blocks, BLOCK_FEATURES].
        tokens: the fingerprint's tokens, [B, TOKENS].
        signature: of the neurons beside ordered axes, [B, SIGNATURE].
    """

    links: tuple[Link, ...]
    heads: tuple[HeadLink, ...]
    nodes: dict[str, Nodes]
    blocks: Tensor
    tokens: Tensor
    signature: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return self._mapped(lambda values: to_device(values, device))

    def select(self, index: Tensor) -> "Batch":
        """Some of the networks, by index [B'], on any device."""
        there = to_device(index, self.blocks.device)
        return self._mapped(lambda values: values[there])

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        links = tuple(
            replace(
                link,
                bias=change(link.bias),
                size=change(link.size),
                stored=None if link.stored is None else change(link.stored),
            )
            for link in self.links
        )
        nodes = {
            name: replace(
                group,
                features=change(group.features),
                bias=change(group.bias),
                gain=change(group.gain),
                shift=change(group.shift),
            )
            for name, group in self.nodes.items()
        }
        return Batch(links, self.heads, nodes, change(self.blocks), change(self.tokens), change(self.signature))


def structure_of(graph: WeightGraph) -> object:
    """What networks must share to be run at once."""
    groups = tuple((g.name, g.size, g.signed, g.ordered, g.activation) for g in graph.groups.values())
    blocks = tuple((b.source, b.target, b.taps) for b in graph.blocks)
    heads = ((li.source, li.target, li.before, li.of_source.tobytes(), li.of_target.tobytes()) for li in graph.links)
    return groups, blocks, tuple(heads)


def batched(graphs: Sequence[WeightGraph]) -> Batch:
    """Graphs of one structure as tensors; the weights of a single large one stay in its file.

    Groups without nodes are left out.
    """
    first = graphs[0]
    readings = [Reading.of(graph) for graph in graphs]
    is_streamed = len(graphs) == 1 and is_large(first)
    links = []
    for index, block in enumerate(first.blocks):
        opened = readings[0].weights[block.name]
        stored = None if is_streamed else torch.from_numpy(np.stack([r.weights[block.name].whole() for r in readings]))
        bias = np.stack([graph.blocks[index].bias for graph in graphs])
        size = np.sqrt([reading.energies[block.name].mean for reading in readings])
        ends = (block.source, block.target, block.taps)
        links.append(Link(*ends, _tensor(bias), _tensor(size), stored, opened if is_streamed else None))
    features = [
        [[*reading.features[block.name].concatenated(), block.depth] for block in first.blocks] for reading in readings
    ]
    tokens = [
        token_mean(tokens_of(graph, reading.features), FingerprintConfig())
        for graph, reading in zip(graphs, readings, strict=True)
    ]
    nodes = {name: _nodes(name, graphs, readings) for name, group in first.groups.items() if group.size}
    stacked = (np.array(features), np.array(tokens), np.array([reading.signature for reading in readings]))
    return Batch(tuple(links), first.links, nodes, *map(_tensor, stacked))


def _nodes(name: str, graphs: Sequence[WeightGraph], readings: Sequence[Reading]) -> Nodes:
    """One group of B networks."""
    groups = [graph.groups[name] for graph in graphs]
    first = groups[0]
    own = [_node_vectors(group) for group in groups]  # [N, 7] each
    sizes = [_sizes(name, graph, reading.energies) for graph, reading in zip(graphs, readings, strict=True)]
    places = _places(first).expand(len(groups), -1, -1)

    def vector(role: str, default: float) -> Tensor:
        return _tensor(np.stack([group.vectors.get(role, np.full(group.size, default)) for group in groups]))

    depths = [block.depth for block in graphs[0].blocks if name in (block.source, block.target)]
    return Nodes(
        features=torch.cat([_tensor(np.stack(sizes))[..., None], _tensor(np.stack(own)), places], -1),
        bias=vector("bias", 0.0).asinh(),
        gain=vector("gain", 1.0),
        shift=vector("shift", 0.0),
        signed=first.signed,
        ordered=first.ordered,
        depth=float(np.mean(depths)) if depths else 0.5,
        activation=first.activation,
    )


def _sizes(name: str, graph: WeightGraph, energies: Mapping[str, Energy]) -> NDArray[np.float64]:
    """The norms of the nodes' weights relative to those of all their blocks, summed over blocks, [N]."""
    total = np.zeros(graph.groups[name].size)
    for block in graph.blocks:
        energy = energies[block.name]
        for end, squares in ((block.target, energy.rows), (block.source, energy.columns)):
            if end == name:
                total += np.sqrt(squares / (energy.mean or 1.0))
    return total


def _node_vectors(group: Group) -> NDArray[np.float64]:
    """Even features of the nodes' own vectors, and the vectors themselves where signs are fixed, [N, 7]."""
    zeros = np.zeros(group.size)
    bias, gain, shift = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("bias", "gain", "shift"))
    slope, other = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("slope", "vector"))
    plain = 0.0 if group.signed else 1.0
    columns = [np.abs(bias), np.abs(gain), np.abs(shift), slope, plain * other, plain * bias, plain * shift]
    return np.stack(columns, 1)


def _places(group: Group) -> Tensor:
    """Cosines and sines [N, 2 x 4] that tell an ordered group's nodes apart; zeros for the others."""
    if not group.ordered:
        return torch.zeros(group.size, 2 * _PLACES)
    place = (torch.arange(group.size) + 0.5) / group.size
    angles = torch.pi * torch.outer(place, 2.0 ** torch.arange(_PLACES))
    return torch.cat([angles.cos(), angles.sin()], 1)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()
