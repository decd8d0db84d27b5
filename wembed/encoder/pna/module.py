"""The pna's module: states of nodes and of edges, messages that edges modulate, principal neighbourhood aggregation.

After Neural Graphs (Kofinas et al., 2024): an edge scales and shifts what its ends send (Perez et al., 2018), four
aggregators times three scalers take it up (Corso et al., 2020), and edges are updated from their ends. What is linear
in a node is computed per node and gathered, never per edge; edges are sorted, so that sums go along memory; a bias that
the next layer can make up for is left out, as it would be written once per edge.

Legend: B networks, N nodes, E edges, D hidden.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wembed.encoder.features import FEATURE_VERSION
from wembed.encoder.pna.features import EDGE_FEATURES, NODE_FEATURES
from wembed.encoder.pna.networks import PnaBatch
from wembed.encoder.trained import AccuracyHead, AddUp, unit_vectors

with warnings.catch_warnings():  # torch_geometric still asks for it when it is imported
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    from torch_geometric.nn.aggr import DegreeScalerAggregation, MultiAggregation  # only a pna needs it

_AGGREGATORS = ["mean", "std", "max", "min"]
_SCALERS = ["identity", "amplification", "attenuation"]
_POOLS = ["mean", "max", "std"]
_EDGES_KEPT = 2**19  # for the way back, some 3 GB at width 64; of more than that, states are computed anew
_DEGREE = 32  # that scalers leave as it is, until they are calibrated


@dataclass(frozen=True)
class PnaConfig:
    """What an untrained pna depends on.

    Args:
        hidden_dim: D, width of the states of nodes and edges.
        global_dim: length of the embedding.
        layers: rounds of messages.
        seed: of the initial weights.
        feature_version: the version of the canonical form.
    """

    hidden_dim: int = 64
    global_dim: int = 128
    layers: int = 3
    seed: int = 0
    feature_version: int = FEATURE_VERSION


class _Convolution(nn.Module):
    """One round of messages: nodes [N, D] and edges [E, D] in, nodes out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_target = nn.Linear(width, width)
        self.of_source = nn.Linear(width, width, bias=False)
        self.scale = nn.Linear(width, width)
        self.shift = nn.Linear(width, width, bias=False)
        self.aggregate = DegreeScalerAggregation(_AGGREGATORS, _SCALERS, torch.bincount(torch.tensor([_DEGREE])))
        seen = len(_AGGREGATORS) * len(_SCALERS) * width
        self.mix = nn.Sequential(nn.Linear(width + seen, width), nn.ReLU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, edges: Tensor, index: Tensor) -> Tensor:
        ends = _at_ends(self.of_source(nodes), self.of_target(nodes), index)
        messages = self.shift(edges).addcmul_(self.scale(edges), ends)  # [E, D]
        del ends
        seen = self.aggregate(messages, index[1], dim_size=len(nodes))  # [N, 12 D]
        updated: Tensor = self.norm(nodes + self.mix(torch.cat([nodes, seen], 1)))
        return updated


class _EdgeUpdate(nn.Module):
    """Edges [E, D] after what their ends have become."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_target = nn.Linear(width, width)
        self.of_source = nn.Linear(width, width, bias=False)
        self.own = nn.Linear(width, width, bias=False)
        self.change = nn.Linear(width, width, bias=False)

    def forward(self, nodes: Tensor, edges: Tensor, index: Tensor) -> Tensor:
        ends = _at_ends(self.of_source(nodes), self.of_target(nodes), index)
        changed: Tensor = self.change(self.own(edges).add_(ends).relu_())
        return changed.add_(edges)


class PnaModule(nn.Module):
    """Batches in, embeddings out.

    Args:
        config: its shape.
    """

    def __init__(self, config: PnaConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        self.first_nodes = nn.Sequential(nn.Linear(NODE_FEATURES, width), nn.ReLU(), nn.Linear(width, width))
        self.first_edges = nn.Linear(EDGE_FEATURES, width, bias=False)
        self.convolutions = nn.ModuleList(_Convolution(width) for _ in range(config.layers))
        self.updates = nn.ModuleList(_EdgeUpdate(width) for _ in range(config.layers - 1))
        self.pool = MultiAggregation(_POOLS)
        self.last = nn.Sequential(
            nn.Linear(len(_POOLS) * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, config.global_dim)
        )
        self.head = AccuracyHead(config.global_dim)

    def calibrate(self, batches: Sequence[PnaBatch]) -> None:
        """Set the degrees that scalers leave as they are, from the networks to be trained on."""
        wirings = [network.wiring for batch in batches for network in batch.networks]
        degrees = {id(wiring): _degrees(wiring.index) for wiring in wirings}
        logs = torch.cat([degrees[id(wiring)] for wiring in wirings]).log1p()
        for part in self.modules():
            if isinstance(part, DegreeScalerAggregation):
                part.avg_deg_log.fill_(logs.mean())

    def after_epoch(self, batches: Sequence[PnaBatch], accuracies: Sequence[Tensor], add_up: AddUp) -> None:
        """Nothing is to be prepared."""

    def accuracy_logits(self, batch: PnaBatch) -> Tensor:
        """Logits of accuracies [B]."""
        logits: Tensor = self.head(self(batch))
        return logits

    def forward(self, batch: PnaBatch) -> Tensor:
        """Embeddings [B, global_dim] of length 1."""
        with warnings.catch_warnings():  # on CUDA it advises another package to those who have no choice
            warnings.filterwarnings("ignore", "The usage of `scatter", UserWarning)
            if torch.is_grad_enabled() and sum(network.edges for network in batch.networks) > _EDGES_KEPT:
                vectors = [checkpoint(self._embedded, part, use_reentrant=False) for part in batch.parts]
            else:
                vectors = [self._embedded(part) for part in batch.parts]
        return torch.cat(vectors)

    def _embedded(self, batch: PnaBatch) -> Tensor:
        graph = batch.joined
        nodes, edges, index = self.first_nodes(graph.x), self.first_edges(graph.edge_attr), graph.edge_index
        for convolution, update in zip(self.convolutions, [*self.updates, None], strict=True):
            nodes = convolution(nodes, edges, index)
            if update is not None:
                edges = update(nodes, edges, index)
        pooled = self.pool(nodes, graph.batch, dim_size=len(batch.networks))  # [B, 3 D]
        return unit_vectors(self.last(pooled))


def _at_ends(of_sources: Tensor, of_targets: Tensor, index: Tensor) -> Tensor:
    """The sum of what both ends of every edge say, [E, D]."""
    return of_targets.index_select(0, index[1]).add_(of_sources.index_select(0, index[0]))


def _degrees(index: Tensor) -> Tensor:
    """How many edges lead to every node that any leads to."""
    degrees = torch.bincount(index[1])
    return degrees[degrees > 0]
