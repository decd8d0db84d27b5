"""Weight graphs in; one graph of torch_geometric out, in which every neuron is a node and every weight is two edges.

An edge for each direction, both sorted by where they lead. A weight's taps are features of its edges. Networks of any
shapes share a batch.

Legend: B networks, N nodes, E weights (all taps of a kernel are one), C tap modes, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from wembed.device import to_device
from wembed.encoder.pna.features import TAP_MODES, group_depths, node_features, tap_modes
from wembed.encoder.pna.signs import signs_of, turned
from wembed.graph import Block, WeightGraph

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

EDGES = 2**16  # that are run at once, unless one network has more: their states fit in a cache or nearly


@dataclass(frozen=True)
class Wiring:
    """The edges of all networks of one structure.

    Args:
        index: source and target of every edge, [2, 2 E]: forward ones by target, then backward ones by theirs.
        weights: which weight an edge belongs to, [2 E].
        layers: which layer a weight belongs to, [E].
        depths: of the layers, 0 to 1.
    """

    index: Tensor
    weights: Tensor
    layers: Tensor
    depths: Tensor

    def to(self, device: torch.device) -> "Wiring":
        """The same on a device."""
        moved = (to_device(part, device) for part in (self.index, self.weights, self.layers, self.depths))
        return Wiring(*moved)


@dataclass(frozen=True)
class Network:
    """One network.

    Args:
        nodes: what they know of themselves, [N, NODE_FEATURES].
        modes: of every weight over its layer's root mean square, [E, C], C at most TAP_MODES.
        scales: log of the layers' root mean squares times the root of what they read.
        wiring: shared by all networks of its structure.
    """

    nodes: Tensor
    modes: Tensor
    scales: Tensor
    wiring: Wiring

    @property
    def edges(self) -> int:
        """How many edges it has, 2 E."""
        return len(self.wiring.weights)

    def graph(self) -> "Data":
        """As torch_geometric has it: x [N, NODE_FEATURES], edge_index [2, 2 E], edge_attr [2 E, EDGE_FEATURES]."""
        from torch_geometric.data import Data

        wiring, count = self.wiring, len(self.modes)
        layers = torch.stack([self.scales, wiring.depths], 1)[wiring.layers]  # [E, 2]
        weights = torch.cat([pad(self.modes, (0, TAP_MODES - self.modes.shape[1])), layers], 1)  # [E, C + 2]
        edges = pad(weights[wiring.weights], (0, 1))  # [2 E, C + 3]
        edges[count:, -1] = 1.0  # backward
        return Data(x=self.nodes, edge_index=wiring.index, edge_attr=edges)


@dataclass(frozen=True)
class PnaBatch:
    """B networks of any structures."""

    networks: tuple[Network, ...]

    @cached_property
    def joined(self) -> "Batch":
        """All of them as one graph."""
        from torch_geometric.data import Batch

        return Batch.from_data_list([network.graph() for network in self.networks])

    @cached_property
    def parts(self) -> tuple["PnaBatch", ...]:
        """The same in order, in parts of EDGES."""
        parts: list[list[Network]] = []
        count = 0
        for network in self.networks:
            count += network.edges
            if not parts or count > EDGES:
                parts.append([])
                count = network.edges
            parts[-1].append(network)
        return tuple(PnaBatch(tuple(part)) for part in parts)

    def to(self, device: torch.device) -> "PnaBatch":
        """The same on a device."""
        wirings = {id(network.wiring): network.wiring for network in self.networks}
        moved = {key: wiring.to(device) for key, wiring in wirings.items()}
        return PnaBatch(tuple(_moved(network, moved[id(network.wiring)], device) for network in self.networks))

    def select(self, index: Tensor) -> "PnaBatch":
        """Some of the networks, by index [B'], on any device; one on the CPU need not be waited for."""
        return PnaBatch(tuple(self.networks[place] for place in index.cpu().tolist()))


def networks_of(graphs: Sequence[WeightGraph]) -> PnaBatch:
    """Weight graphs as what the module takes."""
    wirings: dict[object, Wiring] = {}
    networks = []
    for graph in graphs:
        shape = (tuple(group.size for group in graph.groups.values()), tuple(_ends(block) for block in graph.blocks))
        if shape not in wirings:
            wirings[shape] = _wiring(graph)
        networks.append(_network(graph, wirings[shape]))
    return PnaBatch(tuple(networks))


def edges_of(graph: WeightGraph) -> int:
    """How many edges a graph has, 2 E."""
    return 2 * sum(graph.groups[block.source].size * graph.groups[block.target].size for block in graph.blocks)


def _moved(network: Network, wiring: Wiring, device: torch.device) -> Network:
    parts = {name: to_device(getattr(network, name), device) for name in ("nodes", "modes", "scales")}
    return replace(network, **parts, wiring=wiring)


def _ends(block: Block) -> tuple[str, str, float]:
    return block.source, block.target, block.depth


def _wiring(graph: WeightGraph) -> Wiring:
    sizes = [group.size for group in graph.groups.values()]
    starts = dict(zip(graph.groups, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    ahead, back, orders, layers, count = [], [], [], [], 0
    for number, block in enumerate(graph.blocks):
        sources, targets = graph.groups[block.source].size, graph.groups[block.target].size
        source = starts[block.source] + torch.arange(sources).repeat(targets)  # [T S]
        target = starts[block.target] + torch.arange(targets).repeat_interleave(sources)
        order = torch.arange(targets * sources).view(targets, sources).T.reshape(-1)
        ahead.append(torch.stack([source, target]))
        back.append(torch.stack([target, source])[:, order])
        orders.append(count + order)
        layers.append(torch.full((len(order),), number))
        count += len(order)
    depths = torch.tensor([block.depth for block in graph.blocks], dtype=torch.float32)
    return Wiring(torch.cat([*ahead, *back], 1), torch.cat([torch.arange(count), *orders]), torch.cat(layers), depths)


def _network(graph: WeightGraph, wiring: Wiring) -> Network:
    weights = {block.name: block.weight() for block in graph.blocks}  # [T, S, K]
    signs = signs_of(graph, weights)
    modes, scales = [], []
    for block in graph.blocks:
        weight = turned(weights.pop(block.name), block, signs)
        size = float(np.sqrt(np.mean(np.square(weight))))
        scales.append(np.log(size * np.sqrt(weight.shape[1] * weight.shape[2]) + 1e-6))
        modes.append(tap_modes(weight / (size + 1e-30), block.taps))
    width = max(part.shape[1] for part in modes)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in modes]
    depths = group_depths(graph)
    nodes = [node_features(group, depths[name], signs[name]) for name, group in graph.groups.items()]
    return Network(_tensor(np.concatenate(nodes)), _tensor(np.concatenate(padded)), _tensor(np.array(scales)), wiring)


def _tensor(values: NDArray[Any]) -> Tensor:  # of any number type
    return torch.from_numpy(np.ascontiguousarray(values)).float()
