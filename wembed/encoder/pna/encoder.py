"""The explicit-edge encoder as an Encoder, untrained or with the weights that training gave it.

It forgets the order of free neurons; where they are known only up to their signs (tanh), these are chosen by a rule,
which small changes of a network may upset for single neurons. All edges are held at once, so that five million weights
take more than a gigabyte.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.device import CPU, inference
from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.pna.module import PnaConfig, PnaModule
from wembed.encoder.pna.networks import EDGES, PnaBatch, edges_of, networks_of
from wembed.encoder.trained import initialised, stored_bytes
from wembed.graph import WeightGraph, build_graph


class Pna:
    """The explicit-edge encoder, with the weights that its seed or its training gave it.

    Args:
        config: its shape.
        weights: parameter name -> tensor; untrained where None.
        device: where it runs.
    """

    name = "pna"

    def __init__(
        self, config: PnaConfig | None = None, weights: Mapping[str, Tensor] | None = None, device: str = CPU
    ) -> None:
        self.config = config or PnaConfig()
        self.module = initialised(lambda: PnaModule(self.config), self.config.seed, weights)
        self.id = identity_of(self.name, asdict(self.config), stored_bytes(self.module))
        self.device = torch.device(device)
        self.module.to(self.device)
        self.dimension = self.config.global_dim

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder. Networks of any structures run together."""
        vectors = [np.zeros((0, self.dimension))]
        for graphs in _parts(items):
            with inference():
                vectors.append(self.module(self.batch(graphs).to(self.device)).cpu().double().numpy())
        return unit_rows(np.concatenate(vectors))

    @staticmethod
    def batch(graphs: Sequence[WeightGraph]) -> PnaBatch:
        """Graphs of any structures as what the module takes."""
        return networks_of(graphs)


def _parts(items: Sequence[Item]) -> Iterator[list[WeightGraph]]:
    """The graphs of items in their order, as many together as have EDGES edges."""
    part: list[WeightGraph] = []
    count = 0
    for item in items:
        graph = build_graph(*item)
        edges = edges_of(graph)
        if part and count + edges > EDGES:
            yield part
            part, count = [], 0
        part.append(graph)
        count += edges
    if part:
        yield part
