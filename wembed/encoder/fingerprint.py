"""The deterministic encoders: fingerprint and stats. No training, no torch.

A network is a set of tokens: its blocks, and the vectors that are no biases (norms that are not folded, slopes), each
with its features and its place in depth. The first part of the fingerprint is the mean over tokens of random Fourier
features (Rahimi and Recht, 2007), so that the cosine of two networks is the mean, over pairs of tokens, of a kernel
that is 1 for equal ones and falls off with their distance. Its narrow bandwidths tell a shared layer from a similar
one, its wide ones similar layers from others. The second part is the signature of the neurons beside ordered axes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.features import (
    FEATURE_VERSION,
    VECTOR_FEATURES,
    BlockFeatures,
    block_features,
    vector_features,
)
from wembed.encoder.neurons import NEURON_FEATURES
from wembed.encoder.reading import Reading
from wembed.graph import VECTOR_ROLES, WeightGraph, build_graph

# How far apart one unit of each kind of feature puts two blocks; settled on real checkpoints of known kinship.
_FEATURE_WEIGHT = {"bias": 0.5, "inputs": 2.0, "taps": 2.0}
_DEPTH_WEIGHT = 3.0
_ROLE_WEIGHT = 3.0
_VECTOR_SHARE = 0.25  # how much a vector counts beside a block
_MOST_FREQUENCIES = 1 << 16
_ODD = ("shift", "vector")  # roles whose values turn with a node's sign


@dataclass(frozen=True)
class FingerprintConfig:
    """What a fingerprint depends on.

    Args:
        bandwidths: of the Gaussian kernels, in feature units.
        frequencies: random frequencies of each kernel, which is how much it counts; each gives a cosine and a sine.
        signature: length of the signature beside that of the tokens' part, which is 1.
        seed: of the frequencies.
        feature_version: the version of the block features.
    """

    bandwidths: tuple[float, ...] = (0.15, 0.3, 1.0, 3.0)
    frequencies: tuple[int, ...] = (320, 120, 56, 16)
    signature: float = 2.0
    seed: int = 0
    feature_version: int = FEATURE_VERSION

    def __post_init__(self) -> None:
        """Check what a file may have said.

        Raises:
            ValueError: not one frequency count above 0 for each bandwidth above 0, or another value out of range.
        """
        widths, counts = self.bandwidths, self.frequencies
        if not widths or len(widths) != len(counts) or not all(width > 0 for width in widths):
            raise ValueError(f"bandwidths {widths} and frequencies {counts}, expected as many, above 0")
        if not all(isinstance(count, int) and 0 < count <= _MOST_FREQUENCIES for count in counts):
            raise ValueError(f"frequencies {counts}, expected whole numbers from 1 to {_MOST_FREQUENCIES}")
        if not 0 <= self.signature < math.inf or not 0 <= self.seed < 2**32:
            raise ValueError(f"signature {self.signature} and seed {self.seed}, expected none below 0")


class Fingerprint:
    """The default encoder.

    Args:
        config: what it depends on.
    """

    name = "fingerprint"

    def __init__(self, config: FingerprintConfig | None = None) -> None:
        self.config = config or FingerprintConfig()
        self.id = identity_of(self.name, asdict(self.config))
        self.dimension = token_features(self.config) + NEURON_FEATURES

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        vectors = [self._of(build_graph(*item)) for item in items]
        return unit_rows(np.array(vectors).reshape(len(items), self.dimension))

    def _of(self, graph: WeightGraph) -> NDArray[np.float64]:
        reading = Reading.of(graph)
        tokens = token_mean(tokens_of(graph, reading.features), self.config)
        return np.concatenate([tokens, self.config.signature * reading.signature])


def token_features(config: FingerprintConfig) -> int:
    """Length of the tokens' part."""
    return 2 * sum(config.frequencies)


def token_mean(tokens: "Tokens", config: FingerprintConfig) -> NDArray[np.float64]:
    """The tokens' part of a fingerprint, of length 1, [token_features]."""
    parts = []
    for bandwidth, frequencies in zip(config.bandwidths, _frequencies(tokens.rows.shape[1], config), strict=True):
        phases = tokens.rows @ frequencies / bandwidth  # [tokens, count]
        parts += [tokens.shares @ np.cos(phases), tokens.shares @ np.sin(phases)]
    mean = np.concatenate(parts)
    return np.asarray(mean / (np.linalg.norm(mean) or 1.0))


@lru_cache(maxsize=4)
def _frequencies(length: int, config: FingerprintConfig) -> tuple[NDArray[np.float64], ...]:
    # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
    random = np.random.RandomState(config.seed)
    return tuple(random.standard_normal((length, count)) for count in config.frequencies)


class Stats:
    """Mean, standard deviation, minimum and maximum of the features over blocks: the baseline for regressions."""

    name = "stats"

    def __init__(self) -> None:
        self.id = identity_of(self.name, {"feature_version": FEATURE_VERSION})
        self.dimension = 4 * sum(BlockFeatures.lengths()) + 2 * VECTOR_FEATURES

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        return unit_rows(np.array([pooled_stats(build_graph(*item)) for item in items]).reshape(-1, self.dimension))


def pooled_stats(graph: WeightGraph) -> NDArray[np.float64]:
    """Block features pooled over blocks, then mean and deviation of vector features, [4 F + 2 V]."""
    rows = np.array([block_features(graph, block).concatenated() for block in graph.blocks])
    vectors = np.array([features for _, _, features in _vectors(graph)]).reshape(-1, VECTOR_FEATURES)
    of_vectors = [vectors.mean(0), vectors.std(0)] if len(vectors) else [np.zeros(2 * VECTOR_FEATURES)]
    return np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0), *of_vectors])


@dataclass(frozen=True)
class Tokens:
    """What a network is to the fingerprint.

    Args:
        rows: one per block and vector: depth, features, role, each weighted, [tokens, 1 + F + V + roles].
        shares: how much each counts, [tokens]; they add up to 1.
    """

    rows: NDArray[np.float64]
    shares: NDArray[np.float64]


def tokens_of(graph: WeightGraph, features: Mapping[str, BlockFeatures]) -> Tokens:
    """The tokens of a network, given the features of its blocks by name."""
    depths = {block.target: block.depth for block in graph.blocks}
    blocks = [(block.depth, _weighted(features[block.name])) for block in graph.blocks]
    no_block, no_vector = np.zeros(len(blocks[0][1])), np.zeros(VECTOR_FEATURES + len(VECTOR_ROLES))
    rows = [np.concatenate([[_DEPTH_WEIGHT * depth], own, no_vector]) for depth, own in blocks]
    for name, role, own in _vectors(graph):
        depth = _DEPTH_WEIGHT * depths.get(name, 0.5)
        which = _ROLE_WEIGHT * np.array([role == other for other in VECTOR_ROLES])
        rows.append(np.concatenate([[depth], no_block, own, which]))
    shares = np.array([1.0] * len(blocks) + [_VECTOR_SHARE] * (len(rows) - len(blocks)))
    return Tokens(np.array(rows), shares / shares.sum())


def _vectors(graph: WeightGraph) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Group name, role and features of every vector that is no bias."""
    for group in graph.groups.values():
        for role, values in sorted(group.vectors.items()):
            if role != "bias" and values.size:
                yield group.name, role, vector_features(values, group.signed and role in _ODD)


def _weighted(features: BlockFeatures) -> NDArray[np.float64]:
    return np.concatenate(
        [getattr(features, part.name) * _FEATURE_WEIGHT.get(part.name, 1.0) for part in fields(features)]
    )
