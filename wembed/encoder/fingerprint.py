"""The deterministic encoders: fingerprint and stats. No training, no torch.

A network is a set of blocks; a block is its features and its place in depth. The fingerprint is the mean over blocks
of random Fourier features (Rahimi and Recht, 2007), so that the cosine of two networks is the mean, over pairs of
blocks, of a kernel that is 1 for equal blocks and falls off with their distance. Its narrow bandwidths tell a shared
layer from a similar one, its wide ones similar layers from others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.features import FEATURE_VERSION, BlockFeatures, block_features
from wembed.graph import WeightGraph, build_graph

# How far apart one unit of each kind of feature puts two blocks; settled on real checkpoints of known kinship.
_FEATURE_WEIGHT = {"bias": 0.5, "inputs": 2.0, "taps": 2.0}
_DEPTH_WEIGHT = 3.0


@dataclass(frozen=True)
class FingerprintConfig:
    """What a fingerprint depends on.

    Args:
        bandwidths: of the Gaussian kernels, in feature units.
        frequencies: random frequencies of each kernel, which is how much it counts; each gives a cosine and a sine.
        seed: of the frequencies.
        feature_version: the version of the block features.
    """

    bandwidths: tuple[float, ...] = (0.15, 0.3, 1.0, 3.0)
    frequencies: tuple[int, ...] = (320, 120, 56, 16)
    seed: int = 0
    feature_version: int = FEATURE_VERSION


class Fingerprint:
    """The default encoder.

    Args:
        config: what it depends on.
    """

    name = "fingerprint"

    def __init__(self, config: FingerprintConfig | None = None) -> None:
        self.config = config or FingerprintConfig()
        self.id = identity_of(self.name, asdict(self.config))
        self.dimension = 2 * sum(self.config.frequencies)

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder; D is twice the number of frequencies."""
        vectors = [self._of_tokens(block_tokens(build_graph(checkpoint, spec))) for checkpoint, spec in items]
        return unit_rows(np.array(vectors).reshape(len(items), self.dimension))

    def _of_tokens(self, tokens: NDArray[np.float64]) -> NDArray[np.float64]:
        # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
        random = np.random.RandomState(self.config.seed)
        parts = []
        for bandwidth, count in zip(self.config.bandwidths, self.config.frequencies, strict=True):
            phases = tokens @ random.standard_normal((tokens.shape[1], count)) / bandwidth  # [blocks, count]
            parts += [np.cos(phases).mean(0), np.sin(phases).mean(0)]
        return np.concatenate(parts)


class Stats:
    """Mean, standard deviation, minimum and maximum of the features over blocks: the baseline for regressions."""

    name = "stats"

    def __init__(self) -> None:
        self.id = identity_of(self.name, {"feature_version": FEATURE_VERSION})
        self.dimension = 4 * sum(BlockFeatures.lengths())

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        return unit_rows(np.array([pooled_stats(build_graph(*item)) for item in items]).reshape(-1, self.dimension))


def pooled_stats(graph: WeightGraph) -> NDArray[np.float64]:
    """Mean, standard deviation, minimum and maximum of every feature over the blocks, [4 F]."""
    rows = np.array([block_features(graph, block).concatenated() for block in graph.blocks])
    return np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)])


def block_tokens(graph: WeightGraph) -> NDArray[np.float64]:
    """One row per block: its depth and its features, weighted, [blocks, 1 + F]."""
    return np.array([_token(block.depth, block_features(graph, block)) for block in graph.blocks])


def _token(depth: float, features: BlockFeatures) -> NDArray[np.float64]:
    parts = [getattr(features, part.name) * _FEATURE_WEIGHT.get(part.name, 1.0) for part in fields(features)]
    return np.concatenate([[_DEPTH_WEIGHT * depth], *parts])
