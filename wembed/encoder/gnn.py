"""The sweep encoder: the depth sweeps as an Encoder, untrained or with the weights that training gave it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.batches import batched, structure_of
from wembed.encoder.sweeps import GnnConfig, Sweeps
from wembed.graph import build_graph
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
        self, config: GnnConfig | None = None, weights: Mapping[str, Tensor] | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or GnnConfig()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            self.module = Sweeps(self.config).eval()
        if weights is not None:
            self.module.load_state_dict(dict(weights))
        stored = b"".join(value.numpy().tobytes() for _, value in sorted(self.module.state_dict().items()))
        self.id = identity_of(self.name, asdict(self.config), stored)
        self.device = torch.device(device)
        self.module.to(self.device)
        self.dimension = self.config.global_dim

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder. Networks of one structure run together."""
        alike: dict[object, list[int]] = defaultdict(list)
        graphs = [build_graph(checkpoint, spec) for checkpoint, spec in items]
        for index, graph in enumerate(graphs):
            alike[structure_of(graph)].append(index)
        vectors = np.zeros((len(items), self.dimension))
        for indices in alike.values():
            for start in range(0, len(indices), _BATCH):
                part = indices[start : start + _BATCH]
                with torch.inference_mode():
                    batch = batched([graphs[index] for index in part]).to(self.device)
                    vectors[part] = self.module(batch).double().cpu().numpy()
        return unit_rows(vectors)

    def node_embeddings(self, checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, NDArray[np.float32]]:
        """Group -> its nodes' states [N, 2 D], even part first.

        Equivariant: permuted with the nodes. Where a node's sign is open, so is its odd part's.
        """
        with torch.inference_mode():
            states = self.module.states(batched([build_graph(checkpoint, spec)]).to(self.device))
        return {name: torch.cat([state.even[0], state.odd[0]], -1).cpu().numpy() for name, state in states.items()}
