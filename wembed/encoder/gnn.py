"""The sweep encoder as an Encoder, untrained or with the weights that training gave it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.device import CPU, inference
from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.batches import Batch, batched, structure_of
from wembed.encoder.reading import is_large
from wembed.encoder.readout import GnnConfig, GnnModule
from wembed.encoder.trained import initialised, stored_bytes
from wembed.graph import WeightGraph, build_graph
from wembed.symmetry import SymmetrySpec

_BATCH = 32  # networks of one structure that are run at once


class Gnn:
    """The sweep encoder, with the weights that its seed or its training gave it.

    Args:
        config: its shape.
        weights: parameter name -> tensor; untrained where None.
        device: where it runs.
    """

    name = "gnn"

    def __init__(
        self, config: GnnConfig | None = None, weights: Mapping[str, Tensor] | None = None, device: str = CPU
    ) -> None:
        self.config = config or GnnConfig()
        self.module = initialised(lambda: GnnModule(self.config), self.config.seed, weights)
        self.id = identity_of(self.name, asdict(self.config), stored_bytes(self.module))
        self.device = torch.device(device)
        self.module.to(self.device)
        self.dimension = self.config.dimension

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder. Networks of one structure run together; large ones alone, their weights read when needed."""
        vectors = np.zeros((len(items), self.dimension))
        graphs = [build_graph(*item) for item in items]
        for indices in group_alike(graphs):
            size = 1 if is_large(graphs[indices[0]]) else _BATCH
            for start in range(0, len(indices), size):
                part = indices[start : start + size]
                with inference():
                    batch = self.batch([graphs[index] for index in part]).to(self.device)
                    vectors[part] = self.module(batch).cpu().double().numpy()
        return unit_rows(vectors)

    @staticmethod
    def batch(graphs: Sequence[WeightGraph]) -> Batch:
        """Graphs of one structure as what the module takes."""
        return batched(graphs)

    def node_embeddings(self, checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, NDArray[np.float32]]:
        """Group -> its nodes' states [N, 2 D], even part first.

        Equivariant: permuted with the nodes. Where a node's sign is open, so is its odd part's.
        """
        with inference():
            states = self.module.sweeps.states(batched([build_graph(checkpoint, spec)]).to(self.device))
        return {name: torch.cat([state.even[0], state.odd[0]], -1).cpu().numpy() for name, state in states.items()}


def group_alike(graphs: Sequence[WeightGraph]) -> list[list[int]]:
    """The indices of graphs, those of one structure together."""
    alike: dict[object, list[int]] = defaultdict(list)
    for index, graph in enumerate(graphs):
        alike[structure_of(graph)].append(index)
    return list(alike.values())
