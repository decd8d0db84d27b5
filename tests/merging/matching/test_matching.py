import numpy as np
import pytest
from every_architecture import described
from families import disguised, in_common_scales, network

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.encoder import load_encoder
from wembed.errors import UsageError
from wembed.merging.aligned import align
from wembed.merging.matching import moving
from wembed.merging.matching.estimate import alignment_estimate
from wembed.merging.matching.groups import free_groups
from wembed.merging.matching.large import LargeTensors
from wembed.merging.matching.node_start import embedding_start
from wembed.merging.matching.search import distance, match, matching
from wembed.merging.matching.several import between, match_all
from wembed.merging.tensors import acted, tensors_of
from wembed.models import GPT2, GRU, LSTM, MLP, Bert, Llama
from wembed.symmetry import Action, compose, random_action
from wembed.zoo.builder.specs import network_spec

HEADS = [Bert(width=24, layers=2, heads=4), GPT2(width=24, layers=1, heads=3), Llama(width=32, layers=1, kv_heads=2)]
RELU, TANH = MLP(hidden=(12, 10)), MLP(hidden=(12, 10), activation="tanh")


def by_name(architecture):
    return architecture.label


@pytest.mark.parametrize("architecture", HEADS, ids=by_name)
def test_shuffled_heads_are_found_under_noise(architecture):
    checkpoint, spec = network(architecture, 0)
    first, generator = tensors_of(checkpoint, spec), np.random.default_rng(1)
    noisy = {name: v + 0.1 * v.std() * generator.normal(size=v.shape) for name, v in first.items()}
    action = random_action(spec, generator)
    found = match(first, acted(action, spec, noisy), spec, generator)
    both = Action(compose(found, action, spec).permutations, {})
    assert distance(noisy, acted(both, spec, noisy), spec) == 0.0


@pytest.mark.parametrize("architecture", [GRU(width=8), LSTM(width=8)], ids=by_name)
def test_signs_of_recurrent_units_are_found_under_noise(architecture):
    checkpoint, spec = network(architecture, 0)
    first, generator = tensors_of(checkpoint, spec), np.random.default_rng(1)
    noisy = {name: v + 0.1 * v.std() * generator.normal(size=v.shape) for name, v in first.items()}
    moved = acted(random_action(spec, generator, rescale=True), spec, noisy)
    found = acted(match(first, moved, spec, generator), spec, moved)
    assert distance(first, found, spec) == pytest.approx(distance(first, noisy, spec))


@pytest.mark.parametrize("architecture", [RELU, TANH], ids=by_name)
def test_several_networks_come_into_one_order(architecture):
    items = [network(architecture, seed) for seed in range(4)]
    spec, networks = items[0][1], [in_common_scales(item) for item in items]
    found = match_all(networks, spec, np.random.default_rng(0))
    a, b, c = (each.action for each in found)
    by_way = acted(between(b, c, spec), spec, acted(between(a, b, spec), spec, networks[1]))
    straight = acted(between(a, c, spec), spec, networks[1])
    assert all(np.allclose(by_way[name], straight[name], rtol=0, atol=1e-12) for name in spec.tensors)


@pytest.mark.parametrize("architecture", [RELU, TANH], ids=by_name)
def test_several_networks_are_nearer_to_their_mean_than_matched_one_by_one(architecture):
    items = [network(architecture, seed) for seed in range(5)]
    spec, networks = items[0][1], [in_common_scales(item) for item in items]
    together = [f.action for f in match_all(networks, spec, np.random.default_rng(0))]
    apart = [match(networks[0], other, spec, np.random.default_rng(0)) for other in networks[1:]]

    def spread(actions: list[Action]) -> float:
        moved = [networks[0], *(acted(a, spec, n) for a, n in zip(actions, networks[1:], strict=True))]
        return sum(distance(one, other, spec) for one in moved for other in moved)

    assert spread(together) < spread(apart)


def test_disguises_of_several_networks_are_found():
    first = network(RELU, 0)
    items = [first, *(disguised(first, seed) for seed in range(1, 4))]
    aligned = align([checkpoint for checkpoint, _ in items], first[1], np.random.default_rng(0))
    assert aligned.cost_after < 1e-9 * aligned.cost_before


@pytest.mark.parametrize("architecture", [RELU, TANH], ids=by_name)
def test_node_embeddings_find_a_disguised_copy(architecture):
    first = network(architecture, 0)
    second = disguised(first, 1)
    action = embedding_start(first, second, load_encoder("gnn"))
    one, other = in_common_scales(first), in_common_scales(second)
    assert distance(one, acted(action, first[1], other), first[1]) < 1e-6 * distance(one, other, first[1])


def test_aligning_by_embedding_starts_from_it():
    items = [network(RELU, 0), network(RELU, 1)]
    checkpoints, spec, encoder = [item[0] for item in items], items[0][1], load_encoder("gnn")
    aligned = align(checkpoints, spec, np.random.default_rng(0), encoder=encoder)
    start = embedding_start(*items, encoder)
    first, second = (in_common_scales(item) for item in items)
    expected = matching(first, second, spec, np.random.default_rng(0), start)
    assert aligned.cost_after == pytest.approx(expected.cost_after)
    assert aligned.iterations == expected.iterations


def test_an_encoder_without_states_of_nodes_is_refused():
    item = network(RELU, 0)
    with pytest.raises(UsageError, match="aligning by embedding takes a gnn encoder, found fingerprint"):
        embedding_start(item, item, load_encoder("fingerprint"))


@pytest.fixture
def as_if_large(monkeypatch):
    monkeypatch.setattr(moving, "_HELD", 0)


@pytest.mark.parametrize("architecture", [RELU, HEADS[2]], ids=by_name)
def test_a_large_network_is_matched_as_it_is_read(architecture, tmp_path, as_if_large):
    checkpoint, spec = network(architecture, 0)
    action = random_action(spec, np.random.default_rng(1))
    shuffled = acted(action, spec, tensors_of(checkpoint, spec))
    path = tmp_path / "shuffled.safetensors"
    write_safetensors(path, {name: ("F32", v.astype(np.float32)) for name, v in shuffled.items()}, {})
    aligned = align([checkpoint, open_checkpoint(path)], spec, np.random.default_rng(0))
    assert isinstance(aligned.networks[1], LargeTensors)
    assert aligned.cost_after < 1e-6 * aligned.cost_before
    moved = acted(aligned.actions[1], spec, shuffled)
    first = tensors_of(checkpoint, spec)
    assert all(np.allclose(moved[name], first[name], rtol=1e-4, atol=1e-5) for name in spec.tensors)


def test_estimates_grow_with_networks():
    small, large = (alignment_estimate(network_spec(described(MLP(hidden=(n, n))))) for n in (32, 256))
    assert 0 < small.seconds < large.seconds
    assert 0 < small.bytes < large.bytes


def test_of_a_large_network_a_few_tensors_are_in_memory(as_if_large):
    deep = network_spec(described(MLP(hidden=(256,) * 6)))
    assert alignment_estimate(deep).bytes < 8 * 4 * 256 * 256 * 4


def test_an_atom_that_nothing_else_depends_on_is_assigned_once():
    first, second = (in_common_scales(network(MLP(hidden=(9,)), seed)) for seed in (0, 1))
    spec = network(MLP(hidden=(9,)), 0)[1]
    assert len(free_groups(spec)) == 1
    assert matching(first, second, spec, np.random.default_rng(0)).iterations == 1
