import pytest
import torch
from every_architecture import CHAINS, IMAGES, TEXTS, label_of

from wembed.models import cross_entropy, load_dataset, score

STEPS, BATCH, SEEN = 30, 32, 800


def loss_before_and_after(architecture, dataset) -> list[float]:
    """On a part of the training inputs, of a short training run, with the statistics of these inputs."""
    torch.manual_seed(0)
    module = architecture.build(dataset.shape, dataset.classes).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-2)
    inputs, labels = dataset.train_inputs[:SEEN], dataset.train_labels[:SEEN]
    before = score(module, inputs, labels).loss
    for _ in range(STEPS):
        chosen = torch.randint(SEEN, (BATCH,))
        loss = cross_entropy(module(inputs[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [before, score(module, inputs, labels).loss]


@pytest.mark.parametrize("architecture", [*CHAINS, *IMAGES], ids=label_of)
def test_networks_learn_digits(architecture):
    before, after = loss_before_and_after(architecture, load_dataset("digits"))
    assert after < 0.99 * before


@pytest.mark.parametrize("architecture", TEXTS, ids=label_of)
def test_networks_learn_to_read(architecture):
    name = "documentation-masked" if architecture.kind == "bert" else "documentation"
    before, after = loss_before_and_after(architecture, load_dataset(name))
    assert after < 0.9 * before


@pytest.mark.parametrize("architecture", [*CHAINS, *IMAGES, *TEXTS], ids=label_of)
def test_every_parameter_takes_part(architecture):
    dataset = load_dataset("documentation" if "text" in architecture.takes else "digits")
    module = architecture.build(dataset.shape, dataset.classes).train()
    cross_entropy(module(dataset.train_inputs[:64]), dataset.train_labels[:64]).backward()
    idle = [name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []
