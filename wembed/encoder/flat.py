"""The study's baselines: `mlp` on the flattened canonical weights, `pca-mlp` on their principal components.

They know one structure only and refuse all others; scales are removed, as everywhere, but they have to learn from
shuffled views that the order of neurons means nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.device import CPU, inference, to_device
from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.features import FEATURE_VERSION
from wembed.encoder.trained import AccuracyHead, AddUp, initialised, stored_bytes, unit_vectors
from wembed.errors import CheckpointRefusedError
from wembed.graph import WeightGraph, build_graph
from wembed.symmetry import SymmetrySpec, structure_signature

_TINY = 1e-6


@dataclass(frozen=True)
class FlatConfig:
    """What an untrained flat encoder depends on.

    Args:
        structure: signature of the one structure that it knows.
        inputs: length of its flat weights.
        components: principal components that are kept, 0 for all weights as they are.
        hidden_dim: width of the two hidden layers.
        global_dim: length of the embedding.
        seed: of the initial weights.
        feature_version: the version of the canonical form.
    """

    structure: str
    inputs: int
    components: int = 0
    hidden_dim: int = 128
    global_dim: int = 128
    seed: int = 0
    feature_version: int = FEATURE_VERSION


@dataclass(frozen=True)
class FlatBatch:
    """Networks as vectors [B, inputs]."""

    vectors: Tensor

    def to(self, device: torch.device) -> "FlatBatch":
        """The same on a device."""
        return replace(self, vectors=to_device(self.vectors, device))

    def select(self, index: Tensor) -> "FlatBatch":
        """Some of the networks, by index [B'], on any device."""
        return replace(self, vectors=self.vectors[to_device(index, self.vectors.device)])


class FlatModule(nn.Module):
    """Flat weights in, embeddings out."""

    mean: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, config: FlatConfig) -> None:
        super().__init__()
        inputs = config.components or config.inputs
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.register_buffer("components", torch.zeros(config.components, config.inputs))
        width = config.hidden_dim
        self.layers = nn.Sequential(
            *(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU()),
            nn.Linear(width, config.global_dim),
        )
        self.head = AccuracyHead(config.global_dim)

    def calibrate(self, batches: Sequence[FlatBatch]) -> None:
        """Set what weights are centred and scaled by, and the principal components, from what is trained on."""
        vectors = torch.cat([batch.vectors for batch in batches])
        self.mean.copy_(vectors.mean(0))
        centred = vectors - self.mean
        if len(self.components):
            _, _, rows = torch.linalg.svd(centred, full_matrices=False)
            self.components[: len(rows)] = rows[: len(self.components)]
        self.scale.copy_(self._projected(centred).std(0) + _TINY)

    def after_epoch(self, batches: Sequence[FlatBatch], accuracies: Sequence[Tensor], add_up: AddUp) -> None:
        """Nothing is to be prepared."""

    def accuracy_logits(self, batch: FlatBatch) -> Tensor:
        """Logits of accuracies [B]."""
        logits: Tensor = self.head(self(batch))
        return logits

    def forward(self, batch: FlatBatch) -> Tensor:
        """Embeddings [B, global_dim] of length 1."""
        learned: Tensor = self.layers(self._projected(batch.vectors - self.mean) / self.scale)
        return unit_vectors(learned)

    def _projected(self, centred: Tensor) -> Tensor:
        return centred @ self.components.T if len(self.components) else centred


class Flat:
    """An MLP on flat weights, with the weights that its seed or its training gave it.

    Args:
        config: its shape.
        weights: parameter name -> tensor; untrained where None.
        device: where it runs.
    """

    def __init__(self, config: FlatConfig, weights: Mapping[str, Tensor] | None = None, device: str = CPU) -> None:
        self.config = config
        self.name = "pca-mlp" if config.components else "mlp"
        self.module = initialised(lambda: FlatModule(config), config.seed, weights)
        self.id = identity_of(self.name, asdict(config), stored_bytes(self.module))
        self.device = torch.device(device)
        self.module.to(self.device)
        self.dimension = config.global_dim
        self.structure = config.structure

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder.

        Raises:
            CheckpointRefusedError: a checkpoint of another structure, or with other symmetries.
        """
        if not items:
            return np.zeros((0, self.dimension), dtype=np.float32)
        graphs = [self._known(*item) for item in items]
        with inference():
            return unit_rows(self.module(self.batch(graphs).to(self.device)).cpu().double().numpy())

    def _known(self, checkpoint: Checkpoint, spec: SymmetrySpec) -> WeightGraph:
        """The graph of a network, if it has the one structure."""
        found = structure_signature(checkpoint)
        if found != self.structure:
            message = f"{checkpoint.path}: structure {found}, the {self.name} encoder knows {self.structure} only"
            raise CheckpointRefusedError(message, "use a gnn, which knows every structure")
        graph = build_graph(checkpoint, spec)
        length = flat_length(graph)
        if length != self.config.inputs:
            message = f"{checkpoint.path}: its symmetries leave {length} weights, the {self.name} encoder knows"
            raise CheckpointRefusedError(f"{message} {self.config.inputs}", "use the spec that it was trained with")
        return graph

    @staticmethod
    def batch(graphs: Sequence[WeightGraph]) -> FlatBatch:
        """Graphs of the one structure as what the module takes."""
        return FlatBatch(torch.from_numpy(np.stack([flat_weights(graph) for graph in graphs])).float())


def flat_weights(graph: WeightGraph) -> NDArray[np.float64]:
    """All canonical weights and biases of a network, one after the other, then the norms that do not fold."""
    layers = [part for block in graph.blocks for part in (block.weight(), block.bias)]
    return np.concatenate([part.ravel() for part in [*layers, *_norms(graph)]])


def flat_length(graph: WeightGraph) -> int:
    """The length of its flat weights, without reading them."""
    sizes = {name: group.size for name, group in graph.groups.items()}
    layers = sum(sizes[block.target] * (sizes[block.source] * math.prod(block.taps) + 1) for block in graph.blocks)
    return layers + sum(part.size for part in _norms(graph))


def _norms(graph: WeightGraph) -> list[NDArray[np.float64]]:
    """Gains, shifts and slopes; the biases stand with their layers."""
    return [group.vectors[role] for group in graph.groups.values() for role in sorted(group.vectors) if role != "bias"]
