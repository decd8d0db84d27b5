"""Weight graphs of one structure as tensors: what the depth sweeps run on.

Legend: B networks of one structure, N nodes, T targets, S sources, C tap modes, F features.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from wembed.encoder.features import block_features, cosine_modes
from wembed.graph import Block, Group, WeightGraph

TAP_MODES = ((0, 0), (0, 1), (1, 0), (1, 1))
FLAGS = 2  # of a group
_PLACES = 4  # frequencies that tell ordered nodes apart
NODE_FEATURES = 8 + 2 * _PLACES


@dataclass(frozen=True)
class Link:
    """One block of B networks: the cosine modes of its weight [B, C, T, S]."""

    source: str
    target: str
    modes: Tensor


@dataclass(frozen=True)
class Batch:
    """B networks of one structure, as tensors."""

    links: list[Link]
    nodes: dict[str, Tensor]  # group -> features [B, N, F]
    bias: dict[str, Tensor]  # group -> [B, N]
    plain: dict[str, float]  # group -> 1 where signs are fixed, 0 where they are not
    flags: dict[str, Tensor]  # group -> [2]
    blocks: Tensor  # block features [B, blocks, F]

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved = self._mapped(lambda values: values.to(device))
        return replace(moved, flags={name: values.to(device) for name, values in self.flags.items()})

    def select(self, index: Tensor) -> "Batch":
        """Some of the networks, by index [B']."""
        return self._mapped(lambda values: values[index])

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self,
            links=[replace(link, modes=change(link.modes)) for link in self.links],
            nodes={name: change(values) for name, values in self.nodes.items()},
            bias={name: change(values) for name, values in self.bias.items()},
            blocks=change(self.blocks),
        )


def structure_of(graph: WeightGraph) -> object:
    """What networks must share to be run at once."""
    groups = tuple((g.name, g.size, g.signed, g.ordered) for g in graph.groups.values())
    return groups, tuple((b.source, b.target, b.taps) for b in graph.blocks)


def batched(graphs: Sequence[WeightGraph]) -> Batch:
    """Graphs of one structure as tensors."""
    first = graphs[0]
    links, norms = [], defaultdict[str, list[Tensor]](list)
    for index, block in enumerate(first.blocks):
        modes = torch.stack([_modes(graph.blocks[index]) for graph in graphs])  # [B, C, T, S]
        links.append(Link(block.source, block.target, modes))
        energy = modes.square().sum(1)  # [B, T, S]
        norms[block.target].append(energy.mean(2).sqrt())
        norms[block.source].append(energy.mean(1).sqrt())
    nodes = {}
    for name, group in first.groups.items():
        vectors = torch.stack([_node_vectors(graph.groups[name]) for graph in graphs])  # [B, N, F']
        size = sum(norms[name], torch.zeros(len(graphs), group.size))
        nodes[name] = torch.cat([size[..., None], vectors, _places(group).expand(len(graphs), -1, -1)], -1)
    features = [[block_features(graph, block).concatenated() for block in graph.blocks] for graph in graphs]
    return Batch(
        links,
        nodes,
        {name: torch.stack([_bias(graph.groups[name]) for graph in graphs]) for name in first.groups},
        {name: 0.0 if group.signed else 1.0 for name, group in first.groups.items()},
        {name: torch.tensor([float(g.ordered), float(g.signed)]) for name, g in first.groups.items()},
        torch.from_numpy(np.array(features)).float(),
    )


def _modes(block: Block) -> Tensor:
    """The weight over its root mean square, its taps projected on the lowest cosine modes, [C, T, S]."""
    weight = block.weight()
    weight = weight / (np.sqrt(np.mean(np.square(weight))) or 1.0)
    if weight.shape[2] == 1:
        return torch.from_numpy(weight[None, :, :, 0]).float()
    height, width = (1, *block.taps)[-2:]
    vertical = np.vstack([np.ones(height), np.sqrt(2.0) * cosine_modes(height, 1)])
    horizontal = np.vstack([np.ones(width), np.sqrt(2.0) * cosine_modes(width, 1)])
    planes = weight.reshape(*weight.shape[:2], -1, height, width).mean(2)
    projected = [np.einsum("tshw,h,w->ts", planes, vertical[a], horizontal[b]) for a, b in TAP_MODES]
    return torch.from_numpy(np.stack(projected) / np.sqrt(height * width)).float()


def _bias(group: Group) -> Tensor:
    return torch.from_numpy(np.arcsinh(group.vectors.get("bias", np.zeros(group.size)))).float()


def _node_vectors(group: Group) -> Tensor:
    """Even features of the nodes' own vectors, and the vectors themselves where signs are fixed, [N, 7]."""
    zeros = np.zeros(group.size)
    bias, gain, shift = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("bias", "gain", "shift"))
    slope, other = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("slope", "vector"))
    plain = 0.0 if group.signed else 1.0
    columns = [np.abs(bias), np.abs(gain), np.abs(shift), slope, plain * other, plain * bias, plain * shift]
    return torch.from_numpy(np.stack(columns, 1)).float()


def _places(group: Group) -> Tensor:
    """Cosines and sines [N, 2 x 4] that tell an ordered group's nodes apart; zeros for the others."""
    if not group.ordered:
        return torch.zeros(group.size, 2 * _PLACES)
    place = (torch.arange(group.size) + 0.5) / group.size
    angles = torch.pi * torch.outer(place, 2.0 ** torch.arange(_PLACES))
    return torch.cat([angles.cos(), angles.sin()], 1)
