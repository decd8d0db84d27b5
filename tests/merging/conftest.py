"""Small networks that are trained for real, and the data that they are trained on."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder import Item
from wembed.models import Architecture, Dataset, ModelDescription, chain_steps, load_dataset
from wembed.symmetry import declare_spec


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def trained(digits) -> Callable[[Architecture, int], Item]:
    """A network of an architecture, trained from the initial weights of a seed, and its symmetries."""

    @cache
    def train(architecture: Architecture, seed: int) -> Item:
        description = ModelDescription(architecture=architecture, shape=digits.shape, classes=digits.classes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = description.build()
            _train(module, digits)
        state = module.eval().state_dict().items()
        tensors = {name: value.numpy() for name, value in state if value.is_floating_point()}
        spec = declare_spec({name: value.shape for name, value in tensors.items()}, [chain_steps(module)])
        checkpoint = in_memory(tensors, description.metadata() | {"dataset": digits.name})
        return checkpoint, spec

    return train


def _train(module: nn.Module, digits: Dataset, epochs: int = 12) -> None:
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(digits.train_labels)).split(64):
            optimizer.zero_grad()
            logits = module(digits.train_inputs[index])
            nn.functional.cross_entropy(logits, digits.train_labels[index]).backward()
            optimizer.step()


@pytest.fixture
def logits(digits) -> Callable[[Checkpoint], torch.Tensor]:
    """What a network says of the held-out inputs."""
    from wembed.models import load_module

    def run(checkpoint: Checkpoint) -> torch.Tensor:
        with torch.inference_mode():
            return load_module(checkpoint)(digits.test_inputs)

    return run
