import numpy as np
import pytest

from wembed.merging.matching.search import match
from wembed.merging.matching.with_data import Trial, match_activations, match_with_data
from wembed.merging.tensors import acted, tensors_of, weighted_sum
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


def test_only_training_inputs_decide(trained, digits):
    checkpoint, spec = trained(ARCHITECTURES[0], 0)
    trial = Trial.on(digits, spec, checkpoint)
    training = {row.tobytes() for row in digits.train_inputs.numpy()}
    assert {row.tobytes() for row in trial.inputs.numpy()} <= training
