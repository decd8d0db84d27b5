import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.encoder.gnn import Gnn
from wembed.graph import build_graph
from wembed.training.draws import draw_labelled, draw_pairs
from wembed.training.examples import Example
from wembed.training.objectives import accuracy_divergence, contrastive
from wembed.training.pool import Pool, make_stacks
from wembed.zoo import open_items

VIEWS = 4


@pytest.fixture(scope="module")
def examples(zoo) -> list[Example]:
    rows = zoo.rows()
    items = open_items(zoo, rows)
    return [Example(item, row.run, row.step, row.accuracy) for item, row in zip(items, rows, strict=True)]


@pytest.fixture(scope="module")
def pool(examples):
    stacks = make_stacks(examples, Gnn.batch, VIEWS, np.random.default_rng(0), lambda done, total: None)
    return Pool.of(examples, stacks)


def first_weights(networks):
    return networks.links[0].weight


def test_views_stand_where_their_networks_are_looked_up(examples, pool):
    for stack in pool.stacks:
        assert (stack.views, stack.faithful) == (VIEWS, 3)
        for place in (0, stack.count - 1):
            example = examples[stack.members[place]]
            weight = torch.from_numpy(build_graph(*example.item).blocks[0].weight()).float()
            stacked = first_weights(stack.networks)
            assert torch.allclose(stacked[place], weight, rtol=1e-5)
            for view in range(1, VIEWS):
                copy = stacked[view * stack.count + place]
                assert (copy.flatten().sort().values - weight.flatten().sort().values).norm() > 0


@pytest.mark.parametrize("views", ["all", "faithful", "none"])
def test_networks_come_back_in_the_places_in_which_they_were_asked_for(views, pool):
    generator = np.random.default_rng(1)
    numbers = generator.permutation(len(pool.stack))[:40]
    parts = pool.draw(numbers, views, generator)
    assert sorted(np.concatenate([part.places for part in parts])) == list(range(40))
    found = Counter()
    for part in parts:
        (stack,) = {int(number) for number in pool.stack[numbers[part.places]]}
        stacked = first_weights(pool.stacks[stack].networks)
        for weight, number in zip(first_weights(part.networks), numbers[part.places], strict=True):
            place = int((stacked == weight).flatten(1).all(1).nonzero()[0])
            view, member = divmod(place, pool.stacks[stack].count)
            assert pool.stacks[stack].members[member] == number
            found[view] += 1
    assert set(found) <= set(range({"all": VIEWS, "faithful": 3, "none": 1}[views]))


def test_an_epoch_takes_a_pair_of_every_run_in_batches_of_one_size(examples, pool):
    batches = draw_pairs(pool, 16, np.random.default_rng(0))
    sizes = [len(pairs.first) for pairs in batches]
    assert max(sizes) <= 20
    assert max(sizes) - min(sizes) <= 8
    runs = [(examples[a].run, examples[b].run) for pairs in batches for a, b in zip(*vars(pairs).values(), strict=True)]
    assert all(first == second for first, second in runs)
    assert sorted(first for first, _ in runs) == sorted({example.run for example in examples})


def test_an_epoch_shows_every_network_of_known_accuracy_once(pool):
    shown = np.concatenate(draw_labelled(pool, 16, np.random.default_rng(1)))
    assert sorted(shown) == list(range(len(pool.stack)))


def test_networks_of_unknown_accuracy_are_not_shown(pool):
    unknown = replace(pool, accuracy=pool.accuracy.clone())
    unknown.accuracy[::2] = math.nan
    shown = np.concatenate(draw_labelled(unknown, 16, np.random.default_rng(1)))
    assert sorted(shown) == list(range(1, len(pool.stack), 2))


def test_few_networks_of_many_structures_share_their_batches(pool, examples):
    few = [next(number for number in stack.members) for stack in pool.stacks]
    chosen = [examples[number] for number in few] * 2
    stacks = make_stacks(chosen, Gnn.batch, 2, np.random.default_rng(0), lambda done, total: None)
    runs = [Example(e.item, f"run {n}", e.step, e.accuracy) for n, e in enumerate(chosen)]
    (pairs,) = draw_pairs(Pool.of(runs, stacks), 16, np.random.default_rng(0))
    assert len(pairs.first) == len(runs)


def test_networks_have_fewer_views_where_there_is_no_room(examples, monkeypatch):
    monkeypatch.setattr("wembed.training.pool._ROOM", 10 * 3 * examples[0].item[0].parameters)
    stacks = make_stacks(examples[:10], Gnn.batch, VIEWS, np.random.default_rng(0), lambda done, total: None)
    assert [stack.views for stack in stacks] == [3]
    assert len(first_weights(stacks[0].networks)) == 3 * 10


def test_contrastive_is_what_infonce_says():
    none_related = torch.zeros(4, 4, dtype=torch.bool)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    by_hand = -math.log(math.exp(2.0) / (math.exp(2.0) + 2.0))  # the partner at cosine 1, two strangers at 0
    assert float(contrastive(vectors, none_related, 0.5)) == pytest.approx(by_hand, rel=1e-5)
    assert float(contrastive(vectors[[0, 1, 3, 2]], none_related, 0.5)) > by_hand


def test_relatives_are_no_negatives_and_partners_stay_partners():
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    relatives = torch.ones(6, 6, dtype=torch.bool)
    assert float(contrastive(vectors, relatives, 0.5)) == 0.0
    descent = torch.tensor([0, 0, 1, 0, 0, 1])  # the first two pairs are of one line
    related = descent[:, None] == descent
    unit = torch.nn.functional.normalize(vectors, dim=1).double()
    scores = (unit @ unit.T / 0.5).exp()
    by_hand = []
    for own in range(6):
        partner = (own + 3) % 6
        strangers = [other for other in range(6) if descent[other] != descent[own]]
        by_hand.append(-torch.log(scores[own, partner] / (scores[own, partner] + scores[own, strangers].sum())))
    assert float(contrastive(vectors, related, 0.5)) == pytest.approx(float(torch.stack(by_hand).mean()), rel=1e-5)


def test_divergence_is_zero_for_the_right_accuracy_only():
    accuracy = torch.tensor([0.2, 0.9])
    right = torch.logit(accuracy)
    assert float(accuracy_divergence(right, accuracy)) == pytest.approx(0.0, abs=1e-6)
    assert float(accuracy_divergence(right + 1.0, accuracy)) > 0.05
