import numpy as np
import pytest

from wembed.merging import MergeOptions, interpolations, merge
from wembed.merging.matching.search import match
from wembed.merging.matching.several import match_all, match_all_with_data
from wembed.merging.matching.with_data import Trial, _swaps, match_activations, match_with_data
from wembed.merging.tensors import acted, as_checkpoint, tensors_of, weighted_sum
from wembed.models import CNN, MLP
from wembed.symmetry import random_action

ARCHITECTURES = [
    MLP(hidden=(32, 32)),
    MLP(hidden=(24,), activation="tanh"),
    CNN(hidden=(6,), norm="batch"),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_activations_find_a_shuffled_copy(trained, digits, architecture):
    checkpoint, spec = trained(architecture, 0)
    first = tensors_of(checkpoint, spec)
    signs = any(site.scale == "sign" for site in spec.sites.values())
    action = random_action(spec, np.random.default_rng(1), rescale=signs)
    second = acted(action, spec, first)
    trial = Trial.on(digits, spec, checkpoint)
    found = acted(match_activations(first, second, trial), spec, second)
    # Units that never fire may stand in one another's place, so that functions are compared and not weights.
    unmatched, matched = (trial.loss(weighted_sum([first, other], (0.5, 0.5))) for other in (second, found))
    assert matched == pytest.approx(trial.loss(first), rel=1e-4)
    assert unmatched > 1.5 * matched


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_with_data_the_midpoint_is_no_worse_in_training_than_by_weights(trained, digits, architecture):
    (checkpoint, spec), (other, _) = trained(architecture, 0), trained(architecture, 1)
    first, second = tensors_of(checkpoint, spec), tensors_of(other, spec)
    trial = Trial.on(digits, spec, checkpoint)
    actions = (
        match_with_data(first, second, trial, np.random.default_rng(2)).action,
        match(first, second, spec, np.random.default_rng(2)),
    )
    losses = [trial.loss(weighted_sum([first, acted(action, spec, second)], (0.5, 0.5))) for action in actions]
    assert losses[0] <= losses[1]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.label)
def test_of_a_copy_data_change_nothing(trained, digits, architecture):
    first, spec = trained(architecture, 0)
    action = random_action(spec, np.random.default_rng(1), rescale=True)
    copy = as_checkpoint(acted(action, spec, tensors_of(first, spec)), first), spec
    merged = merge([(first, spec), copy], MergeOptions(dataset=digits))
    for name, values in merged.tensors.items():
        np.testing.assert_allclose(values, tensors_of(first, spec)[name], rtol=1e-4, atol=1e-5)


def test_the_path_to_a_copy_is_flat(trained, digits):
    first, spec = trained(ARCHITECTURES[2], 0)
    action = random_action(spec, np.random.default_rng(1), rescale=True)
    copy = as_checkpoint(acted(action, spec, tensors_of(first, spec)), first), spec
    losses = [point.aligned_loss for point in interpolations((first, spec), copy, digits, points=5).points]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_the_nearest_by_weights_stays_where_it_loses_no_more_than_the_ends(trained, digits, monkeypatch, count):
    monkeypatch.setattr(Trial, "enough", lambda *_: float("inf"))
    items = [trained(ARCHITECTURES[0], seed) for seed in range(count)]
    spec, networks = items[0][1], [tensors_of(*item) for item in items]
    trial = Trial.on(digits, spec, items[0][0])
    by_data = match_all_with_data(networks, trial, np.random.default_rng(0))
    by_weights = match_all(networks, spec, np.random.default_rng(0))
    assert [found.cost_after for found in by_data] == pytest.approx([found.cost_after for found in by_weights])


def test_swaps_end_where_the_average_loses_no_more_than_the_ends(trained, digits, monkeypatch):
    (checkpoint, spec), (other, _) = trained(ARCHITECTURES[0], 0), trained(ARCHITECTURES[0], 1)
    first, second = tensors_of(checkpoint, spec), tensors_of(other, spec)
    trial = Trial.on(digits, spec, checkpoint)
    assert _swaps(first, second, trial, np.random.default_rng(0), trial.middle(first, second)).permutations == {}
    assert _swaps(first, second, trial, np.random.default_rng(0), 0.0).permutations


def test_only_training_inputs_decide(trained, digits):
    checkpoint, spec = trained(ARCHITECTURES[0], 0)
    trial = Trial.on(digits, spec, checkpoint)
    training = {row.tobytes() for row in digits.train_inputs.numpy()}
    assert {row.tobytes() for row in trial.inputs.numpy()} <= training
