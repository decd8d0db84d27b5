"""Merging networks that were trained for real, from different initial weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging import MergeOptions, common_dataset, interpolations, merge, running, score_controls
from wembed.merging.recipe.document import Recipe, RecipeModel
from wembed.merging.running import Tools, run
from wembed.merging.statistics import norm_variances, with_statistics
from wembed.merging.tensors import as_checkpoint
from wembed.models import CNN, MLP, load_dataset, score
from wembed.symmetry import Action, apply_action, random_action

RELU = MLP(hidden=(32, 32))
TANH = MLP(hidden=(24,), activation="tanh")
MLP_NORM = MLP(hidden=(24, 16), norm="batch")
CNN_NORM = CNN(hidden=(6,), norm="batch")


def disguised(item, seed: int, permutes: bool = True):
    checkpoint, spec = item
    action = random_action(spec, np.random.default_rng(seed), rescale=True)
    action = action if permutes else Action({}, action.scales)
    tensors = {name: np.float64(values) for name, values in apply_action(action, spec, checkpoint.read)}
    return as_checkpoint(tensors, checkpoint), spec


def settled(item, digits):
    """The same weights with the statistics that the training inputs really have."""
    checkpoint, spec = item
    tensors = {name: checkpoint.read(name).astype(np.float64) for name in spec.tensors}
    return as_checkpoint(with_statistics(tensors, spec, checkpoint, digits.train_inputs), checkpoint), spec


def removed(curves) -> float:
    """The share of the mean barrier that matching removes."""
    return 1 - np.mean([c.aligned_barrier for c in curves]) / np.mean([c.naive_barrier for c in curves])


@pytest.mark.parametrize("architecture", [RELU, TANH, MLP_NORM], ids=lambda a: a.label)
def test_matching_removes_most_of_the_barrier(trained, digits, architecture):
    pairs = [(trained(architecture, 2 * k), trained(architecture, 2 * k + 1)) for k in range(2)]
    curves = [interpolations(a, b, digits, points=3) for a, b in pairs]
    middle = [curve.points[1] for curve in curves]
    assert np.mean([point.aligned_accuracy - point.naive_accuracy for point in middle]) > 0.02
    assert removed(curves) > 0.7


@pytest.mark.slow
def test_matching_removes_85_percent_of_the_barrier_over_twenty_pairs(trained, digits, record_property):
    pairs = [(trained(RELU, 2 * k), trained(RELU, 2 * k + 1)) for k in range(20)]
    curves = [interpolations(a, b, digits, points=3) for a, b in pairs]
    middle = [curve.points[1] for curve in curves]
    assert np.mean([point.aligned_accuracy - point.naive_accuracy for point in middle]) > 0.2
    assert removed(curves) > 0.85


def test_the_path_starts_and_ends_at_the_networks(trained, digits, logits):
    a, b = trained(RELU, 0), trained(RELU, 1)
    curve = interpolations(a, b, digits, points=5)
    assert [point.t for point in curve.points] == [0.0, 0.25, 0.5, 0.75, 1.0]
    for point, (checkpoint, _) in ((curve.points[0], a), (curve.points[-1], b)):
        accuracy = float((logits(checkpoint).argmax(1) == digits.test_labels).double().mean())
        assert point.naive_accuracy == pytest.approx(accuracy)
        assert point.aligned_accuracy == pytest.approx(accuracy, abs=0.002)  # one in 599


@pytest.mark.parametrize("architecture", [RELU, TANH, CNN_NORM], ids=lambda a: a.label)
def test_a_disguise_of_the_second_changes_no_aligned_point(trained, digits, architecture):
    a, b = trained(architecture, 0), trained(architecture, 1)
    plain, other = (interpolations(a, end, digits, points=3) for end in (b, disguised(b, 5)))
    for before, after in zip(plain.points, other.points, strict=True):
        assert after.aligned_loss == pytest.approx(before.aligned_loss, rel=0.02)
    assert other.points[1].naive_loss != pytest.approx(plain.points[1].naive_loss, rel=0.05)


@pytest.mark.parametrize("architecture", [MLP_NORM, CNN_NORM], ids=lambda a: a.label)
def test_with_data_a_rescaled_network_merged_with_none_of_another_is_itself(trained, digits, logits, architecture):
    first = settled(trained(architecture, 0), digits)
    rescaled = disguised(first, 3, permutes=False)
    merged = merge([rescaled, trained(architecture, 1)], MergeOptions(t=0.0, dataset=digits))
    expected = logits(first[0])
    torch.testing.assert_close(logits(as_checkpoint(merged.tensors, first[0])), expected, rtol=2e-3, atol=2e-3)


def test_recomputed_statistics_are_those_of_the_training_inputs(trained, digits):
    (a, spec), b = trained(CNN_NORM, 0), trained(CNN_NORM, 1)
    merged = merge([(a, spec), b], MergeOptions(dataset=digits, align="none"))
    checkpoint = as_checkpoint(merged.tensors, a)
    (norm,) = (layer for layer in spec.layers if layer.kind == "batch_norm")
    stored = merged.tensors[norm.tensors["running_var"]]
    true = norm_variances(checkpoint, spec, digits.train_inputs)[norm.name]
    np.testing.assert_allclose(stored, true, rtol=1e-3)
    averaged = merge([(a, spec), b], MergeOptions(align="none")).tensors[norm.tensors["running_var"]]
    assert np.abs(averaged / true - 1).max() > 0.05


def test_recomputing_statistics_repairs_the_plain_average(trained, digits):
    items = [trained(MLP_NORM, 0), trained(MLP_NORM, 1)]
    losses = []
    for dataset in (digits, None):
        tensors = merge(items, MergeOptions(align="none", dataset=dataset)).tensors
        module = as_checkpoint(tensors, items[0][0])
        losses.append(_score(module, digits).loss)
    assert losses[0] < losses[1]


def _score(checkpoint, digits):
    from wembed.models import load_module

    return score(load_module(checkpoint), digits.test_inputs, digits.test_labels)


def test_controls_stand_in_the_order_that_they_should(trained, digits):
    items = [trained(RELU, 0), trained(RELU, 1)]
    merged = merge(items, MergeOptions(dataset=digits))
    found = score_controls(items, merged, digits)
    assert found.merged == found.aligned
    assert found.noised_average is None
    assert found.naive.accuracy < found.merged.accuracy
    assert found.noised_endpoint.accuracy < found.endpoints[0].accuracy
    assert found.endpoints[1] == _score(items[1][0], digits)


def test_repaired_units_make_the_matched_average_better(trained, digits):
    items = [trained(RELU, 0), trained(RELU, 1)]
    matched = merge(items, MergeOptions())
    controls = score_controls(items, matched, digits)
    assert controls.aligned.loss < controls.merged.loss  # the latter knows no data


def test_a_data_set_that_does_not_fit_is_refused(trained):
    items = [trained(RELU, 0), trained(RELU, 1)]
    with pytest.raises(UsageError, match=r"takes inputs of shape \[1, 8, 8\] with 10 labels, data set wine has shape"):
        merge(items, MergeOptions(dataset=load_dataset("wine")))


def test_other_shapes_are_not_mergeable(trained):
    with pytest.raises(CheckpointRefusedError, match=r"not mergeable: tensor 0.weight is \[32, 64\] and \[24, 64\]"):
        merge([trained(RELU, 0), trained(TANH, 0)], MergeOptions())


def test_another_activation_is_not_mergeable(trained):
    relu = trained(MLP(hidden=(24,)), 0)
    with pytest.raises(CheckpointRefusedError, match=r"not mergeable: behind 0.out stands relu and tanh"):
        merge([relu, trained(TANH, 0)], MergeOptions())


def test_t_is_for_two_and_merging_for_two_or_more(trained):
    items = [trained(TANH, 0)] * 3
    with pytest.raises(UsageError, match="-t is the share of the second of two, found 3"):
        merge(items, MergeOptions(t=0.5))
    with pytest.raises(UsageError, match="two or more checkpoints, found 1"):
        merge(items[:1], MergeOptions())


def test_networks_of_different_data_sets_have_no_common_one(trained):
    checkpoint = trained(TANH, 0)[0]
    assert common_dataset([checkpoint, checkpoint]) == "digits"
    assert common_dataset([checkpoint, in_memory({}, {})]) == ""


def test_the_card_of_a_merge_on_data_says_what_chose_the_order(trained, digits, tmp_path):
    recipe = Recipe(models=(RecipeModel(model="a"), RecipeModel(model="b")), data="digits")
    run(recipe, [trained(TANH, 0), trained(TANH, 1)], tmp_path / "out", Tools(dataset=digits))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "that loss chose the order, and the distance is not the least" in card


def test_a_merge_on_data_that_ends_further_apart_says_so(trained, digits, tmp_path, monkeypatch):
    items = [trained(TANH, 0), trained(TANH, 1)]
    merged = merge(items, MergeOptions(dataset=digits))
    further = replace(merged, aligned=replace(merged.aligned, cost_after=2 * merged.aligned.cost_before))
    monkeypatch.setattr(running, "merge", lambda *_: further)
    recipe = Recipe(models=(RecipeModel(model="a"), RecipeModel(model="b")), data="digits")
    notes = run(recipe, items, tmp_path / "out.safetensors", Tools(dataset=digits)).notes
    assert "the networks are further apart than before: on data, alignment seeks an average that loses little" in notes
