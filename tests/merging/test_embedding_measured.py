"""Merging by embedding beside its controls, measured on networks that were trained for it; the encoder is untrained.

Pairs that share a network are not independent: intervals are of draws of networks.
"""

import itertools

import numpy as np
import pytest

from wembed.encoder import load_encoder
from wembed.evaluate.resampling import draw_pairs, estimated_by, pair_means
from wembed.merging import MergeOptions, score_controls
from wembed.merging.embedding import merge_each_by_embedding
from wembed.merging.ensemble import ensemble_scores
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import as_checkpoint
from wembed.models import MLP, load_module, score

pytestmark = pytest.mark.slow

NETWORKS = 12
PAIRS = 30


@pytest.mark.parametrize("with_data", [False, True], ids=["no data", "data"])
def test_the_merge_is_better_than_the_average_and_than_noise(trained, digits, record_property, with_data):
    chosen = np.random.default_rng(0).permutation(list(itertools.combinations(range(NETWORKS), 2)))[:PAIRS]
    networks = [trained(MLP(hidden=(32, 32)), seed) for seed in range(NETWORKS)]
    pairs = [[networks[a], networks[b]] for a, b in chosen]
    moved = merge_each_by_embedding(pairs, MergeOptions(dataset=digits if with_data else None), load_encoder("gnn"))
    found = [score_controls(pair, one, digits) for pair, one in zip(pairs, moved, strict=True)]
    values = {
        "endpoints": np.array([np.mean([end.accuracy for end in one.endpoints]) for one in found]),
        "ensemble": np.array([ensemble_scores([c for c, _ in pair], digits).accuracy for pair in pairs]),
        "average": np.array([reached(one.average.common, one, digits) for one in moved]),
        "embedding": np.array([one.merged.accuracy for one in found]),
        "noise": np.array([one.noised_average.accuracy for one in found]),
    }
    values["embedding beyond average"] = values["embedding"] - values["average"]
    values["embedding beyond noise"] = values["embedding"] - values["noise"]
    drawn = draw_pairs(chosen.astype(str), np.random.default_rng(0))
    told = {name: estimated_by(pair_means(accuracies, drawn)) for name, accuracies in values.items()}
    for name, each in told.items():
        figure = f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"
        record_property(f"merging by embedding, {'data' if with_data else 'no data'}, {PAIRS} pairs: {name}", figure)
        print(f"{'data' if with_data else 'no data'}, {PAIRS} pairs: {name} {figure}")  # noqa: T201
    assert told["embedding beyond noise"].low > 0
    assert told["embedding beyond average"].low > 0


def reached(tensors, merged, dataset) -> float:
    fresh = with_statistics(tensors, merged.aligned.spec, merged.like, dataset.train_inputs)
    return score(load_module(as_checkpoint(fresh, merged.like)), dataset.test_inputs, dataset.test_labels).accuracy
