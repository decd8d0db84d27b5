"""Laws of matching and merging, for every architecture that the builder knows: functions count, and not files."""

import numpy as np
import pytest
from every_architecture import CHAINS, EVERY, IMAGES, TEXTS, label_of
from families import apart, disguised, in_common_scales, network, said, some_data

from wembed.merging import MergeOptions, merge
from wembed.merging.aligned import align
from wembed.merging.continuous import applies
from wembed.merging.matching.search import distance, match, matching
from wembed.merging.tensors import acted, tensors_of
from wembed.models import GRU

CLOSE = 1e-4  # relative
FEWER = (CHAINS[1], CHAINS[5], IMAGES[0], IMAGES[2], IMAGES[7], IMAGES[9], TEXTS[4])  # one of each kind
RECURRENT = (IMAGES[7], GRU(width=9, layers=3), IMAGES[9])
families = pytest.mark.parametrize("architecture", EVERY, ids=label_of)
one_of_each = pytest.mark.parametrize("architecture", FEWER, ids=label_of)


@families
def test_a_network_merged_with_a_disguise_of_itself_is_itself(architecture):
    first = network(architecture, 0)
    merged = merge([first, disguised(first, 1)], MergeOptions())
    expected = said(tensors_of(*first), first[0], architecture)
    assert apart(said(merged.tensors, first[0], architecture), expected) < CLOSE
    assert merged.aligned.cost_after <= 1e-9 * merged.aligned.cost_before


@pytest.mark.parametrize("architecture", [*CHAINS, *IMAGES[::2], *TEXTS[:5:2]], ids=label_of)
def test_with_data_a_network_merged_with_a_disguise_of_itself_is_itself(architecture):
    first = network(architecture, 0)
    merged = merge([first, disguised(first, 1)], MergeOptions(dataset=some_data(architecture)))
    expected = said(tensors_of(*first), first[0], architecture)
    assert apart(said(merged.tensors, first[0], architecture), expected) < CLOSE
    assert merged.aligned.cost_after <= 1e-9 * max(merged.aligned.cost_before, 1.0)


@one_of_each
def test_with_data_a_network_merged_with_itself_is_itself(architecture):
    first = network(architecture, 0)
    merged = merge([first, first, first], MergeOptions(dataset=some_data(architecture)))
    for name, values in merged.tensors.items():
        np.testing.assert_allclose(values, tensors_of(*first)[name], rtol=1e-6, atol=1e-7)


@one_of_each
def test_with_data_the_ends_are_what_they_were(architecture):
    items, data = [network(architecture, seed) for seed in (0, 1)], some_data(architecture)
    for t, item in zip((0.0, 1.0), items, strict=True):
        merged = merge(items, MergeOptions(t=t, dataset=data))
        expected = said(tensors_of(*item), item[0], architecture)
        assert apart(said(merged.tensors, item[0], architecture), expected) < CLOSE


@one_of_each
def test_the_aligned_network_computes_what_it_did(architecture):
    first, second = network(architecture, 0), network(architecture, 1)
    merged = merge([first, second], MergeOptions(t=1.0))
    expected = said(tensors_of(*second), first[0], architecture)
    assert apart(said(merged.tensors, first[0], architecture), expected) < CLOSE


@one_of_each
def test_nothing_of_the_second_leaves_the_first(architecture):
    first, second = network(architecture, 0), network(architecture, 1)
    merged = merge([first, second], MergeOptions(t=0.0))
    for name, values in merged.tensors.items():
        np.testing.assert_allclose(values, tensors_of(*first)[name], rtol=1e-9, atol=1e-12)


@one_of_each
def test_matching_back_undoes_matching(architecture):
    (first, spec), (second, _) = network(architecture, 0), network(architecture, 1)
    one, other = in_common_scales((first, spec)), in_common_scales((second, spec))
    there = acted(match(one, other, spec, np.random.default_rng(0)), spec, other)
    again = acted(match(other, there, spec, np.random.default_rng(0)), spec, there)
    scale = max(float(np.abs(values).max()) for values in other.values())
    assert all(np.abs(again[name] - other[name]).max() < 1e-8 * scale for name in spec.tensors)


@pytest.mark.parametrize("architecture", [*CHAINS, *FEWER[2:6]], ids=label_of)
def test_merging_is_symmetric_up_to_the_order_of_neurons(architecture):
    first, second = network(architecture, 0), network(architecture, 1)
    assert not applies(first[1])  # what is done inside heads goes by the first network's form
    functions = [
        said(merge(items, MergeOptions()).tensors, items[0][0], architecture)
        for items in ([first, second], [second, first])
    ]
    assert apart(functions[1], functions[0]) < CLOSE


@pytest.mark.parametrize("seed", [0, 6, 8])
@pytest.mark.parametrize("architecture", [*CHAINS, *RECURRENT], ids=label_of)
def test_no_disguise_of_the_second_changes_what_a_chain_or_a_recurrent_network_is_matched_to(architecture, seed):
    first, second = network(architecture, seed), network(architecture, seed + 1)
    functions = [
        said(merge([first, other], MergeOptions()).tensors, first[0], architecture)
        for other in (second, disguised(second, 5))
    ]
    assert apart(functions[1], functions[0]) < CLOSE


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["one way", "the other"])
@one_of_each
def test_matching_brings_nearer(architecture, order):
    (first, spec), (second, _) = (network(architecture, seed) for seed in order)
    one, other = in_common_scales((first, spec)), in_common_scales((second, spec))
    found = matching(one, other, spec, np.random.default_rng(0))
    assert found.cost_after <= found.cost_before
    assert found.cost_after == pytest.approx(distance(one, acted(found.action, spec, other), spec))
    assert found.iterations > 0


@one_of_each
def test_the_actions_of_an_alignment_act_on_the_files(architecture):
    (first, spec), (second, _) = network(architecture, 0), network(architecture, 1)
    aligned = align([first, second], spec, np.random.default_rng(0))
    for action, checkpoint, network_ in zip(aligned.actions, (first, second), aligned.networks, strict=True):
        if action is not None:
            moved, expected = acted(action, spec, tensors_of(checkpoint, spec)), aligned.in_scales_of_first(network_)
            for name, values in moved.items():
                np.testing.assert_allclose(values, expected[name], rtol=1e-9, atol=1e-12)
