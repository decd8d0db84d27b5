"""Barriers between transformers that a zoo trained apart: the loss of the average less the mean of the ends' losses.

WEMBED_TEST_TRANSFORMERS names a zoo that this made before; without it one is built, which takes minutes.
"""

import os
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.merging.continuous import nearer, nearer_with_data
from wembed.merging.gauge import scale_action
from wembed.merging.matching.search import match
from wembed.merging.matching.with_data import Trial, match_with_data
from wembed.merging.tensors import Tensors, acted, as_checkpoint, tensors_of, weighted_sum
from wembed.models import Dataset, Scores, load_dataset, load_module, score
from wembed.symmetry import SymmetrySpec, find_spec
from wembed.zoo.builder import BuildManifest, BuildOptions, build

pytestmark = pytest.mark.slow

TESTED = 512  # held-out inputs; a text's are many characters each
WAYS = ("naive", "permuted", "permuted with data", "continuous", "continuous with data")
KINDS = {"vit": 0.9, "gpt2": 0.4, "llama": 0.4}  # the least accuracy of an end; chance is a tenth, and a sixth of text
MANIFEST = {
    "name": "transformers",
    "seed": 1,
    "training": {"batch_size": 32, "snapshots": [1000]},
    "hyperparameters": {
        "learning_rate": [2e-3, 2e-3],
        "weight_decay": [1e-2, 1e-2],
        "init_scale": [1.0, 1.0],
        "train_fraction": [1.0, 1.0],
        "label_noise": [0.0, 0.0],
    },
    "groups": [
        {"dataset": "digits", "architecture": {"kind": "vit", "patch": 2, "width": 32}, "runs": 4},
        {
            "dataset": "documentation",
            "architecture": {"kind": "gpt2", "width": 32, "layers": 1, "tied": False},
            "runs": 4,
        },
        {
            "dataset": "documentation",
            "architecture": {"kind": "llama", "width": 32, "layers": 1, "heads": 4, "kv_heads": 2},
            "runs": 4,
        },
    ],
}


@dataclass(frozen=True)
class Runs:
    """Runs of one recipe."""

    checkpoints: list[Checkpoint]
    spec: SymmetrySpec
    dataset: Dataset

    def score(self, tensors: Tensors) -> Scores:
        """On held-out inputs."""
        module = load_module(as_checkpoint(tensors, self.checkpoints[0]))
        return score(module, self.dataset.test_inputs[:TESTED], self.dataset.test_labels[:TESTED])

    def ends(self) -> list[Tensors]:
        """The networks in common scales."""
        return [acted(scale_action(c, self.spec), self.spec, tensors_of(c, self.spec)) for c in self.checkpoints]

    def ways(self, first: Tensors, second: Tensors) -> list[Tensors]:
        """The second network, moved in all ways."""
        trial, generator = Trial.on(self.dataset, self.spec, self.checkpoints[0]), np.random.default_rng(0)
        permuted = acted(match(first, second, self.spec, generator), self.spec, second)
        by_data = acted(match_with_data(first, second, trial, generator).action, self.spec, second)
        turned = nearer(first, permuted, self.spec)
        learned = nearer_with_data(first, permuted, self.spec, self.dataset, self.checkpoints[0])
        return [second, permuted, by_data, turned, learned]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    named = os.environ.get("WEMBED_TEST_TRANSFORMERS")
    if named:
        return Zoo.open(Path(named))
    zoo = Zoo.create(tmp_path_factory.mktemp("transformers") / "zoo")
    build(zoo, BuildOptions(BuildManifest.model_validate(MANIFEST), seed=1, jobs=1))
    return zoo


def runs_of(zoo: Zoo, kind: str) -> Runs:
    rows: list[CatalogRow] = [row for row in zoo.rows() if f"-{kind}-" in row.id]
    checkpoints = [open_checkpoint(zoo.root / row.path) for row in rows]
    return Runs(checkpoints, find_spec(checkpoints[0]), load_dataset(rows[0].dataset))


@pytest.mark.parametrize("kind", KINDS)
def test_the_barrier_is_at_most_half_of_what_permutations_leave(zoo, kind, record_property):
    runs = runs_of(zoo, kind)
    ends = runs.ends()
    scores = [runs.score(end) for end in ends]
    assert min(found.accuracy for found in scores) > KINDS[kind]
    barriers, changes = [], []
    for one, other in combinations(range(len(ends)), 2):
        moved = runs.ways(ends[one], ends[other])
        straight = (scores[one].loss + scores[other].loss) / 2
        barriers.append([runs.score(weighted_sum([ends[one], m], [0.5, 0.5])).loss - straight for m in moved])
        changes += [abs(runs.score(m).loss - scores[other].loss) for m in moved]
    mean = dict(zip(WAYS, np.mean(barriers, 0).tolist(), strict=True))
    for way, barrier in mean.items():
        record_property(f"{kind}: midpoint barrier, {way}", barrier)
    record_property(f"{kind}: accuracy of the ends", float(np.mean([found.accuracy for found in scores])))
    assert len(barriers) >= 6
    assert max(changes) < 1e-5  # every network that moved computes what it computed
    assert mean["continuous with data"] <= 0.5 * min(mean["permuted"], mean["permuted with data"])
