"""Merging by embedding beside its controls, measured on networks that were trained for it; the encoder is untrained."""

import itertools

import numpy as np
import pytest

from wembed.encoder import load_encoder
from wembed.merging import MergeOptions, merge, score_controls
from wembed.merging.embedding import merge_each_by_embedding
from wembed.merging.ensemble import ensemble_scores
from wembed.models import MLP

pytestmark = pytest.mark.slow

NETWORKS = 6
RESAMPLED = 2000


def low(differences: np.ndarray) -> float:
    """The lower end of the interval of the mean that holds 95 % of the draws of pairs."""
    draws = np.random.default_rng(0).integers(0, len(differences), (RESAMPLED, len(differences)))
    return float(np.percentile(differences[draws].mean(1), 2.5))


def test_without_data_the_merge_is_better_than_the_average_and_than_noise(trained, digits, record_property):
    networks = [trained(MLP(hidden=(32, 32)), seed) for seed in range(NETWORKS)]
    pairs = [list(pair) for pair in itertools.combinations(networks, 2)]
    options = MergeOptions()
    moved = merge_each_by_embedding(pairs, options, load_encoder("gnn"))
    found = [score_controls(pair, one, digits) for pair, one in zip(pairs, moved, strict=True)]
    plain = [score_controls(pair, merge(pair, options), digits).merged.accuracy for pair in pairs]
    ensembles = [ensemble_scores([checkpoint for checkpoint, _ in pair], digits).accuracy for pair in pairs]
    values = {
        "aligned average": np.array(plain),
        "embedding": np.array([one.merged.accuracy for one in found]),
        "noise of the same step": np.array([one.noised_average.accuracy for one in found]),
        "ensemble": np.array(ensembles),
    }
    for name, accuracies in values.items():
        record_property(f"merging by embedding, {len(pairs)} pairs: {name}", float(accuracies.mean()))
    assert low(values["embedding"] - values["aligned average"]) > 0
    assert low(values["embedding"] - values["noise of the same step"]) > 0
