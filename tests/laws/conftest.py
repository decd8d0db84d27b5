"""The population that the laws are tried on: 200 random chains on disk, and every encoder."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import Arrays, Chain, random_chain, read_all, run_network
from threadpoolctl import threadpool_limits

from wembed.encoder import Encoder, load_encoder

POPULATION = 200


@dataclass
class Population:
    """Random chains, made when they are asked for: MLPs and CNNs in turn."""

    folder: Path
    _chains: dict[int, Chain] = field(default_factory=dict)

    def chain(self, index: int) -> Chain:
        """The chain of a number, the same in every run."""
        if index not in self._chains:
            generator, kind = np.random.default_rng([7, index]), ("mlp", "cnn")[index % 2]
            self._chains[index] = random_chain(generator, kind, self.folder / f"{index}.safetensors")
        return self._chains[index]

    @cached_property
    def all(self) -> list[Chain]:
        """All of them."""
        return [self.chain(index) for index in range(POPULATION)]


@dataclass
class Embedder:
    """An encoder, and its embeddings of the population."""

    encoder: Encoder
    population: Population

    def __post_init__(self) -> None:
        self.of = cache(self._of)

    def _of(self, index: int) -> np.ndarray:
        return self.encoder.embed([self.population.chain(index).item])[0]

    def change(self, index: int, item) -> float:
        """How far an item's embedding is from that of a chain, relative to its length."""
        return float(np.linalg.norm(self.encoder.embed([item])[0] - self.of(index)) / np.linalg.norm(self.of(index)))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small networks are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def population(tmp_path_factory) -> Population:
    return Population(tmp_path_factory.mktemp("population"))


@pytest.fixture(scope="session")
def embedders(population) -> dict[str, Embedder]:
    return {name: Embedder(load_encoder(name), population) for name in ("fingerprint", "stats", "gnn")}


@pytest.fixture(scope="session")
def difference():
    """The largest difference between two networks' outputs on the same inputs, relative to the largest output."""

    def measure(chain: Chain, changed: Arrays) -> float:
        before = run_network(chain.plan, read_all(chain.checkpoint), np.random.default_rng(1))
        after = run_network(chain.plan, changed, np.random.default_rng(1))
        return float(np.abs(after - before).max() / np.abs(before).max())

    return measure
