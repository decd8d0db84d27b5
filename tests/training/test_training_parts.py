import math

import numpy as np
import pytest
import torch

from wembed.encoder.gnn import Gnn
from wembed.graph import build_graph
from wembed.symmetry import structure_signature
from wembed.training.objectives import accuracy_divergence, contrastive
from wembed.training.pool import Example, draw_batches, draw_labelled, draw_pairs, make_stacks, unchanged
from wembed.training.views import view_of
from wembed.zoo import open_items


@pytest.fixture(scope="module")
def examples(zoo) -> list[Example]:
    rows = zoo.rows()
    items = open_items(zoo, rows)
    return [Example(item, row.run, row.step, row.accuracy) for item, row in zip(items, rows, strict=True)]


@pytest.fixture(scope="module")
def stacks(examples):
    return make_stacks(examples, Gnn.batch, 2, np.random.default_rng(0), lambda done, total: None)


def test_a_view_is_a_little_changed_and_the_file_is_not(examples):
    checkpoint, spec = examples[0].item
    before = checkpoint.content_hash()
    for seed in range(12):
        view, same_spec = view_of(examples[0].item, np.random.default_rng(seed))
        assert same_spec is spec
        assert structure_signature(view) == structure_signature(checkpoint)
        original, changed = (np.sort(file.read("0.weight").ravel()) for file in (checkpoint, view))
        moved = np.linalg.norm(changed - original) / np.linalg.norm(original)
        assert 0 < moved < 0.35  # 4-bit weights are the roughest
        assert np.array_equal(np.sort(view.read("0.bias")), np.sort(checkpoint.read("0.bias")))
    assert checkpoint.content_hash() == before


def test_views_stand_where_their_networks_are_looked_up(examples, stacks):
    first = stacks[0]
    of_structure = [example for example in examples if example.item[1].hash == examples[0].item[1].hash]
    assert first.count == len(of_structure)
    for index in (0, 5, first.count - 1):
        weight = build_graph(*of_structure[index].item).blocks[0].weight()
        stacked = first.networks.links[0].weight
        assert torch.equal(stacked[index], torch.from_numpy(weight).float())
        assert (stacked[first.count + index].sort().values - stacked[index].sort().values).norm() > 0
        assert float(first.accuracy[index]) == pytest.approx(of_structure[index].accuracy)


def found_in(stack, networks) -> list[int]:
    """Which networks of a stack some networks are views of."""
    stacked = stack.networks.links[0].weight
    return [
        int((stacked == weight).flatten(1).all(1).nonzero()[0]) % stack.count for weight in networks.links[0].weight
    ]


def test_pairs_are_two_views_of_one_run(examples, stacks):
    stack = stacks[0]
    of_structure = [example for example in examples if example.item[1].hash == examples[0].item[1].hash]
    names = [{of_structure[index].run for index in run} for run in stack.runs]
    assert all(len(name) == 1 for name in names)
    pairs = draw_pairs(stack, np.arange(len(stack.runs)), np.random.default_rng(1))
    runs = [of_structure[index].run for index in found_in(stack, pairs)]
    assert runs[: len(stack.runs)] == runs[len(stack.runs) :] == [next(iter(name)) for name in names]


def test_every_network_is_shown_once_with_its_own_accuracy(stacks):
    shown = {id(stack): [] for stack in stacks}
    for labelled in draw_labelled(stacks, 16, np.random.default_rng(1)):
        (stack,) = (
            s for s in stacks if s.networks.links[0].weight.shape[1:] == labelled.networks.links[0].weight.shape[1:]
        )
        found = found_in(stack, labelled.networks)
        assert torch.equal(labelled.accuracy, stack.accuracy[found])
        shown[id(stack)] += found
    assert all(sorted(shown[id(stack)]) == list(range(stack.count)) for stack in stacks)


def test_what_is_unchanged_is_the_network_itself(stacks):
    for stack in stacks:
        own = unchanged(stack)
        assert torch.equal(own.networks.links[0].weight, stack.networks.links[0].weight[: stack.count])
        assert torch.equal(own.accuracy, stack.accuracy)


def test_an_epoch_takes_every_run_once(stacks):
    batches = draw_batches(stacks, 16, np.random.default_rng(0))
    taken = sorted((part.stack, int(run)) for batch in batches for part in batch for run in part.runs)
    assert taken == [(number, run) for number, stack in enumerate(stacks) for run in range(len(stack.runs))]
    assert max(sum(len(part.runs) for part in batch) for batch in batches) <= 24


def test_contrastive_is_what_infonce_says():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    by_hand = -math.log(math.exp(2.0) / (math.exp(2.0) + 2.0))  # the partner at cosine 1, two strangers at 0
    assert float(contrastive(vectors, 0.5)) == pytest.approx(by_hand, rel=1e-5)
    assert float(contrastive(vectors[[0, 1, 3, 2]], 0.5)) > by_hand


def test_divergence_is_zero_for_the_right_accuracy_only_and_skips_unknown_ones():
    accuracy = torch.tensor([0.2, 0.9, math.nan])
    right = torch.logit(torch.tensor([0.2, 0.9, 0.5]))
    assert float(accuracy_divergence(right, accuracy)) == pytest.approx(0.0, abs=1e-6)
    assert float(accuracy_divergence(right + 1.0, accuracy)) > 0.05
    assert float(accuracy_divergence(right, torch.full((3,), math.nan))) == 0.0
