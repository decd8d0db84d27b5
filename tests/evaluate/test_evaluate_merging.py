"""Merged pairs: which networks, and what is reported of them."""

import dataclasses

import numpy as np

from wembed.encoder import Stats
from wembed.evaluate.material import gather
from wembed.evaluate.merging import POINTS, merged_pairs, reached_by_weights
from wembed.merging import MergeOptions, merge
from wembed.merging.tensors import as_checkpoint
from wembed.models import load_dataset, load_module, score
from wembed.zoo import silent


def test_pairs_are_ends_of_different_test_runs_of_one_configuration(evaluation, material):
    rows = {row.id: row for row in material.rows}
    assert len(evaluation.curves) >= 20
    for curve in evaluation.curves:
        a, b = rows[curve.a], rows[curve.b]
        assert a.run != b.run
        assert (a.dataset, a.architecture, a.step) == (b.dataset, b.architecture, 24)
        assert material.splits[a.id] == material.splits[b.id] == "test"


def test_curves_start_and_end_at_the_networks_themselves(evaluation, material):
    rows = {row.id: row for row in material.rows}
    for curve in evaluation.curves:
        assert (curve.t[0], curve.t[-1], len(curve.t)) == (0.0, 1.0, POINTS)
        for method in ("naive", "aligned"):
            assert np.isclose(curve.loss[method][0], rows[curve.a].loss, atol=1e-4)
            assert np.isclose(curve.loss[method][-1], rows[curve.b].loss, atol=1e-4)


def test_numbers_are_the_middles_of_the_curves(evaluation, value):
    for method in ("naive", "aligned"):
        middles = [curve.accuracy[method][POINTS // 2] for curve in evaluation.curves]
        found = value("merging", method, "midpoint_accuracy")
        assert np.isclose(found.value, np.mean(middles))
        assert found.n == len(middles)


def test_a_midpoint_stands_beside_its_endpoints_and_controls(evaluation, value):
    rows = [r for r in evaluation.results if (r.task, r.metric, r.split) == ("merging", "midpoint_accuracy", "test")]
    assert {row.encoder for row in rows} >= {"endpoints", "ensemble", "naive", "aligned", "noise"}
    lower = value("merging", "endpoints", "lower_accuracy").value
    assert lower < value("merging", "endpoints", "midpoint_accuracy").value


def test_matching_lowers_the_barrier(value):
    barriers = [value("merging", method, "loss_barrier").value for method in ("aligned", "naive")]
    assert barriers[0] < barriers[1]
    assert 0 < value("merging", "aligned", "barrier_removed").value <= 1


def test_each_part_of_the_data_aided_merge_has_rows_of_its_own(value):
    for name in ("naive, repaired", "matched by weights", "aligned"):
        barrier, removed = value("merging", name, "loss_barrier"), value("merging", name, "barrier_removed")
        assert removed.value <= 1
        assert removed.low <= removed.value <= removed.high
        assert barrier.n == removed.n == value("merging", name, "midpoint_accuracy").n
    assert value("merging", "aligned", "loss_barrier").value < value("merging", "naive, repaired", "loss_barrier").value


def test_matching_by_weights_looks_at_no_data(material):
    dataset = load_dataset("wine")
    places = np.flatnonzero(material.finals() & material.where(lambda row: row.dataset == "wine"))
    specs = [material.items[place][1].hash for place in places]
    ends = [material.items[place] for place in places if material.items[place][1].hash == specs[0]][:2]
    other = dataclasses.replace(
        dataset, train_inputs=dataset.train_inputs.flip(1), train_labels=dataset.train_labels.roll(1)
    )
    found = [reached_by_weights(ends, MergeOptions(t=0.5, dataset=each)) for each in (dataset, other)]
    assert found[0] == found[1]  # these networks have no batch norms
    assert found[0] != merged_scores(ends, dataset)


def merged_scores(ends, dataset):
    merged = merge(ends, MergeOptions(t=0.5, dataset=dataset))
    module = load_module(as_checkpoint(merged.common, ends[0][0]))
    return score(module, dataset.test_inputs, dataset.test_labels)


def test_diverged_networks_are_left_out(changed):
    zoo = changed(lambda row: dataclasses.replace(row, status="diverged at step 3"))
    assert merged_pairs(gather(zoo, split_seed=0), Stats(), 0, silent) == []


def test_relatives_are_no_pairs(material):
    parent = next(row for row in material.rows if material.splits[row.id] == "test")
    kin = [
        dataclasses.replace(row, parent=parent.id) if material.splits[row.id] == "test" else row
        for row in material.rows
    ]
    assert merged_pairs(dataclasses.replace(material, rows=kin), Stats(), 0, silent) == []


def test_intervals_hold_their_values(value):
    for metric in ("midpoint_accuracy", "loss_barrier"):
        found = value("merging", "naive", metric)
        assert found.low < found.value < found.high
        assert found.error > 0
    removed = value("merging", "aligned", "barrier_removed")
    assert removed.low <= removed.value <= removed.high
