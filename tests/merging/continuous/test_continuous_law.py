"""Laws: a network that moves computes what it computed, and finds the way back where it is a copy of the other."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from transformers_at_random import STILL, TURNING, Network, at_random, label_of

from wembed.merging.continuous import applies, nearer
from wembed.merging.continuous.freedom import Freedom
from wembed.merging.continuous.nearer import squared_distance
from wembed.merging.continuous.streams import streams_of
from wembed.merging.continuous.turned import orthogonal, turned
from wembed.merging.tensors import Tensors, acted, weighted_sum
from wembed.models import Architecture
from wembed.symmetry import random_continuous_action

BOTH = (*TURNING, *STILL)


def difference(network: Network, first: Tensors, second: Tensors) -> float:
    """The largest difference of what two sets of tensors compute, relative to its size."""
    one, other = network.logits(first), network.logits(second)
    return float((one - other).abs().max() / one.abs().max())


@cache
def moved_of(architecture: Architecture) -> Tensors:
    """A network moved nearer to another of its kind."""
    first, second = at_random(architecture, 1), at_random(architecture, 2)
    return nearer(first.tensors, second.tensors, first.spec)


def copy_of(network: Network, like: Tensors, generator: np.random.Generator) -> Tensors:
    """The same function with its heads, units and streams moved at random, and another network's gains."""
    freedom = Freedom.of(network.spec, network.tensors, like)
    moved = freedom.folded(network.tensors)
    for turn in freedom.turns:
        size = len(like[turn.stream.norms[0].gain])
        moved = turned(moved, turn.stream, orthogonal(generator.normal(size=(size, size))))
    action = replace(random_continuous_action(network.spec, generator), scales={})
    return acted(action, network.spec, freedom.unfolded(moved, like))


@pytest.mark.parametrize("architecture", BOTH, ids=label_of)
def test_what_moved_computes_what_it_computed(architecture):
    second = at_random(architecture, 2)
    assert difference(second, second.tensors, moved_of(architecture)) < 1e-6


@pytest.mark.parametrize("architecture", BOTH, ids=label_of)
def test_what_moved_is_nearer(architecture):
    first, second = at_random(architecture, 1), at_random(architecture, 2)
    freedom = Freedom.of(first.spec, first.tensors, second.tensors)
    moved = freedom.folded(moved_of(architecture))
    ours, theirs = freedom.folded(first.tensors), freedom.folded(second.tensors)
    assert squared_distance(ours, moved) < 0.95 * squared_distance(ours, theirs)


@pytest.mark.parametrize("architecture", BOTH, ids=label_of)
def test_the_average_with_a_moved_copy_is_the_network_itself(architecture):
    first, other = at_random(architecture, 1), at_random(architecture, 2)
    copy = copy_of(first, other.tensors, np.random.default_rng(3))
    assert difference(first, first.tensors, copy) < 1e-6
    middle = weighted_sum([first.tensors, nearer(first.tensors, copy, first.spec)], [0.5, 0.5])
    assert difference(first, first.tensors, middle) < 1e-5


@pytest.mark.parametrize("architecture", TURNING, ids=label_of)
def test_what_moved_has_the_gains_of_the_first(architecture):
    first, moved = at_random(architecture, 1), moved_of(architecture)
    gains = [norm.gain for stream in streams_of(first.spec) for norm in stream.norms]
    assert gains
    for gain in gains:
        np.testing.assert_array_equal(moved[gain], first.tensors[gain])


@pytest.mark.parametrize("architecture", TURNING, ids=label_of)
def test_streams_of_pre_norm_transformers_can_be_turned(architecture):
    assert len(streams_of(at_random(architecture, 1).spec)) == 1


@pytest.mark.parametrize("architecture", STILL, ids=label_of)
def test_streams_of_tied_and_post_norm_transformers_cannot(architecture):
    spec = at_random(architecture, 1).spec
    assert streams_of(spec) == ()
    assert applies(spec)  # since heads still take maps
