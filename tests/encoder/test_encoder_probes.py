import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory
from wembed.encoder.batches import batched
from wembed.encoder.probes import Probes, Task, Vote, task_of, tasks_of
from wembed.graph import build_graph
from wembed.models import CNN, MLP, Architecture, BaseArchitecture, ModelDescription, chain_steps
from wembed.symmetry import declare_spec


def network(architecture: Architecture, shape: tuple[int, ...], seed: int = 0):
    torch.manual_seed(seed)
    module = ModelDescription(architecture=architecture, shape=shape, classes=4).build().eval()
    tensors = {key: value.numpy() for key, value in module.state_dict().items() if value.is_floating_point()}
    spec = declare_spec({key: value.shape for key, value in tensors.items()}, [chain_steps(module)])
    return module, batched([build_graph(in_memory(tensors), spec)])


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        (MLP(hidden=(6, 5), activation="relu"), (9,)),
        (MLP(hidden=(6, 5), activation="tanh", norm="batch"), (9,)),
        (MLP(hidden=(7,), activation="gelu"), (9,)),
        (CNN(hidden=(3, 4), activation="leaky_relu"), (1, 8, 8)),
        (CNN(hidden=(3, 4), activation="relu", norm="batch"), (2, 8, 8)),
    ],
    ids=lambda value: value.label if isinstance(value, BaseArchitecture) else "",
)
def test_answers_are_what_the_network_itself_says(architecture, shape):
    module, batch = network(architecture, shape)
    probes = Probes(5, 8, ())
    with torch.no_grad():
        answers = probes._answers(batch)[batch.links[-1].target][0]  # [P, classes]
        first = batch.links[0]
        inputs = probes._start(first, batch.nodes[first.source])[0].flatten(1)  # [P, F]
        expected = module(inputs)
    assert torch.allclose(answers, expected, atol=1e-4 * float(expected.abs().max()))


def test_networks_of_one_data_set_share_a_task_whatever_their_kind():
    _, mlp = network(MLP(hidden=(6,)), (64,))
    _, cnn = network(CNN(hidden=(3,)), (1, 8, 8))
    assert tasks_of([mlp, cnn]) == (Task(64, 4),)
    assert task_of(cnn, cnn.links[-1].target) == Task(64, 4)


def test_the_consensus_is_the_mean_answer_of_good_networks():
    batches = [network(MLP(hidden=(6,)), (9,), seed)[1] for seed in range(2)]
    probes = Probes(5, 8, (Task(9, 4),))
    answers = [probes._answers(batch)[batch.links[-1].target][0].softmax(-1) for batch in batches]
    accuracies = [torch.tensor([1.0]), torch.tensor([0.5])]
    probes.agree(probes.votes(batches, accuracies))
    expected = (answers[0] + answers[1] / 16) / (1 + 1 / 16)
    assert torch.allclose(probes.consensus_9_4, expected, atol=1e-6)


def test_votes_of_two_sets_of_networks_add_up_to_that_of_all():
    batches = [network(MLP(hidden=(6,)), (9,), seed)[1] for seed in range(3)]
    accuracies = [torch.tensor([value]) for value in (1.0, 0.5, 0.9)]
    probes = Probes(5, 8, (Task(9, 4), Task(3, 2)))
    alone, other = probes.votes(batches[:1], accuracies[:1]), probes.votes(batches[1:], accuracies[1:])
    both = [Vote(one.shares + two.shares, one.say + two.say) for one, two in zip(alone, other, strict=True)]
    probes.agree(both)
    added = probes.consensus_9_4.clone()
    probes.agree(probes.votes(batches, accuracies))
    assert torch.allclose(added, probes.consensus_9_4, atol=1e-6)


def test_a_task_that_nobody_has_a_say_in_keeps_its_consensus():
    _, batch = network(MLP(hidden=(6,)), (9,))
    probes = Probes(5, 8, (Task(9, 4),))
    probes.agree(probes.votes([batch], [torch.tensor([float("nan")])]))
    assert torch.equal(probes.consensus_9_4, torch.full((5, 4), 0.25))


def test_a_network_of_an_unknown_task_is_read_without_a_consensus():
    _, known = network(MLP(hidden=(6,)), (9,))
    _, unknown = network(MLP(hidden=(6,)), (7,))
    probes = Probes(5, 8, (Task(9, 4),)).eval()
    with torch.no_grad():
        assert torch.isfinite(probes(known)).all()
        assert torch.isfinite(probes(unknown)).all()
    assert not np.allclose(probes(known).detach(), probes(unknown).detach())
