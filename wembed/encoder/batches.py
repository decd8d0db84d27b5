"""Weight graphs of one structure as tensors: what the learned encoders run on.

Legend: B networks of one structure, N nodes, T targets, S sources, K taps, F features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.encoder.features import BlockFeatures, block_features
from wembed.encoder.neurons import NEURON_FEATURES, neuron_features
from wembed.graph import Group, WeightGraph

FLAGS = 2  # of a group
_PLACES = 4  # frequencies that tell ordered nodes apart
NODE_FEATURES = 7 + 2 * _PLACES
BLOCK_FEATURES = sum(BlockFeatures.lengths())
SIGNATURE = NEURON_FEATURES


@dataclass(frozen=True)
class Link:
    """One block of B networks.

    Args:
        source: group name.
        target: group name.
        taps: the grid of the taps, () for a plain matrix.
        weight: canonical, [B, T, S, K].
        bias: [B, T].
    """

    source: str
    target: str
    taps: tuple[int, ...]
    weight: Tensor
    bias: Tensor


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
        activation: what they do with what they read.
    """

    features: Tensor
    bias: Tensor
    gain: Tensor
    shift: Tensor
    signed: bool
    ordered: bool
    activation: str

    @property
    def flags(self) -> list[float]:
        """What kind of group it is, as features [FLAGS]."""
        return [float(self.ordered), float(self.signed)]


@dataclass(frozen=True)
class Batch:
    """B networks of one structure.

    Args:
        links: blocks in data-flow order.
        nodes: by group name.
        blocks: features of the blocks, [B, blocks, BLOCK_FEATURES].
        signature: of the neurons beside ordered axes, summed over blocks, [B, SIGNATURE].
    """

    links: tuple[Link, ...]
    nodes: dict[str, Nodes]
    blocks: Tensor
    signature: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return self._mapped(lambda values: values.to(device))

    def select(self, index: Tensor) -> "Batch":
        """Some of the networks, by index [B']."""
        return self._mapped(lambda values: values[index])

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        links = tuple(replace(link, weight=change(link.weight), bias=change(link.bias)) for link in self.links)
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
        return Batch(links, nodes, change(self.blocks), change(self.signature))


def structure_of(graph: WeightGraph) -> object:
    """What networks must share to be run at once."""
    groups = tuple((g.name, g.size, g.signed, g.ordered, g.activation) for g in graph.groups.values())
    return groups, tuple((b.source, b.target, b.taps) for b in graph.blocks)


def batched(graphs: Sequence[WeightGraph]) -> Batch:
    """Graphs of one structure as tensors."""
    first = graphs[0]
    links = []
    for index, block in enumerate(first.blocks):
        weight = np.stack([graph.blocks[index].weight() for graph in graphs])
        bias = np.stack([graph.blocks[index].bias for graph in graphs])
        links.append(Link(block.source, block.target, block.taps, _tensor(weight), _tensor(bias)))
    features = [[block_features(graph, block).concatenated() for block in graph.blocks] for graph in graphs]
    signature = [np.sum([neuron_features(graph, block) for block in graph.blocks], 0) for graph in graphs]
    nodes = {name: _nodes([graph.groups[name] for graph in graphs]) for name in first.groups}
    return Batch(tuple(links), nodes, _tensor(np.array(features)), _tensor(np.array(signature)))


def _nodes(groups: Sequence[Group]) -> Nodes:
    """One group of B networks."""
    first = groups[0]
    own = torch.stack([_node_vectors(group) for group in groups])  # [B, N, 7]
    places = _places(first).expand(len(groups), -1, -1)

    def vector(role: str, default: float) -> Tensor:
        return _tensor(np.stack([group.vectors.get(role, np.full(group.size, default)) for group in groups]))

    return Nodes(
        features=torch.cat([own, places], -1),
        bias=vector("bias", 0.0).asinh(),
        gain=vector("gain", 1.0),
        shift=vector("shift", 0.0),
        signed=first.signed,
        ordered=first.ordered,
        activation=first.activation,
    )


def _node_vectors(group: Group) -> Tensor:
    """Even features of the nodes' own vectors, and the vectors themselves where signs are fixed, [N, 7]."""
    zeros = np.zeros(group.size)
    bias, gain, shift = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("bias", "gain", "shift"))
    slope, other = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("slope", "vector"))
    plain = 0.0 if group.signed else 1.0
    columns = [np.abs(bias), np.abs(gain), np.abs(shift), slope, plain * other, plain * bias, plain * shift]
    return _tensor(np.stack(columns, 1))


def _places(group: Group) -> Tensor:
    """Cosines and sines [N, 2 x 4] that tell an ordered group's nodes apart; zeros for the others."""
    if not group.ordered:
        return torch.zeros(group.size, 2 * _PLACES)
    place = (torch.arange(group.size) + 0.5) / group.size
    angles = torch.pi * torch.outer(place, 2.0 ** torch.arange(_PLACES))
    return torch.cat([angles.cos(), angles.sin()], 1)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()
