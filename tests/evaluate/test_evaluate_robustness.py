"""Invariance and robustness: what shuffling, pruning, noise and rounding do to embeddings."""

import numpy as np
import pytest

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.stability.damage import DAMAGES
from wembed.evaluate.stability.nearness import nearest_strangers, sampled
from wembed.evaluate.stability.robustness import damaged_tasks

SHAPE = "test:wine-mlp-relu-8"


@pytest.mark.parametrize("encoder", ["fingerprint", "stats"])
def test_invariant_encoders_hardly_change(value, encoder):
    changed = value("invariance", encoder, "largest_change").value
    assert changed < 1e-4 * value("invariance", encoder, "nearest_stranger").value


def test_raw_weights_change_by_more_than_the_nearest_stranger_is_away(value):
    assert value("invariance", "cosine", "largest_change").value is None  # of all shapes
    changed = value("invariance", "cosine", "largest_change", SHAPE).value
    assert changed > value("invariance", "cosine", "nearest_stranger", SHAPE).value


def test_a_rounded_network_is_found_and_its_embedding_stays(value):
    assert value("robustness", "fingerprint", "recall@1 bf16").value == 1.0
    assert value("robustness", "fingerprint", "moved_q99 bf16").value < 0.05


def test_the_more_is_pruned_the_further_an_embedding_moves(value):
    moved = [value("robustness", "fingerprint", f"moved pruned {share} %").value for share in (10, 30, 50)]
    assert moved == sorted(moved)


def test_every_damage_has_a_row_for_everyone(evaluation):
    rows = [row for row in evaluation.results if row.task == "robustness" and row.split == SHAPE]
    for kind in DAMAGES:
        names = {row.encoder for row in rows if row.metric == f"recall@1 {kind}"}
        assert names == {"fingerprint", "stats", "cosine"}


def test_only_what_is_random_is_drawn_for_every_seed(material):
    draws = {damaged.kind: len(damaged.task.draws) for damaged in damaged_tasks(material, seeds=[0, 1, 2])}
    assert draws["noise 5 %"] == 3
    assert draws["pruned 10 %"] == draws["bf16"] == 1


def test_samples_are_last_snapshots_of_test_runs_spread_over_configurations(material):
    places = sampled(material, 4, np.random.default_rng(0))
    rows = [material.rows[place] for place in places]
    assert {row.step for row in rows} == {24}
    assert {material.splits[row.id] for row in rows} == {"test"}
    assert sorted(row.architecture for row in rows) == ["mlp-relu-6x6"] * 2 + ["mlp-relu-8"] * 2


def test_a_stranger_has_the_same_configuration_and_another_run(material):
    """Vectors that say the configuration and, a little, the run: the nearest of another run is a run's step away."""
    runs = {run: number for number, run in enumerate(dict.fromkeys(material.runs))}
    configs = {config: number for number, config in enumerate(dict.fromkeys(material.configs))}
    values = np.array(
        [
            [0.1 * runs[run], 100.0 * configs[config]]
            for run, config in zip(material.runs, material.configs, strict=True)
        ]
    )
    found = nearest_strangers(material, Vectors(values, np.ones(len(values), dtype=bool)), [0, 10])
    assert found == pytest.approx([0.1, 0.1])


def test_without_a_stranger_there_is_no_distance(material):
    known = np.zeros(len(material.rows), dtype=bool)
    assert np.isnan(nearest_strangers(material, Vectors(np.zeros((len(known), 2)), known), [0])).all()


def test_a_rounding_hardly_changes_what_is_predicted(value):
    slight = value("robustness", "fingerprint", "predicted_change bf16")
    assert slight.target == "accuracy"
    assert 0 <= slight.value < value("robustness", "fingerprint", "predicted_change pruned 50 %").value
