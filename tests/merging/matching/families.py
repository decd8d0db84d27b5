"""Small networks of every architecture that the builder knows, as if trained, and what they say of some inputs."""

import numpy as np
import torch
from every_architecture import IMAGE, VOCABULARY, WINDOW, described

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder import Item
from wembed.merging.gauge import scale_action
from wembed.merging.tensors import Tensors, acted, as_checkpoint, tensors_of
from wembed.models import Architecture, Dataset, load_module, stored_tensors
from wembed.symmetry import random_action
from wembed.zoo.builder.specs import network_spec


def network(architecture: Architecture, seed: int) -> Item:
    """A network with random weights, its gains, biases and statistics as if trained."""
    description = described(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
    generator, tensors = np.random.default_rng(seed), {}
    for name, value in stored_tensors(module).items():
        values = value.detach().numpy()
        if values.dtype.kind == "f" and values.std() == 0:
            values = (values + 0.3 * np.abs(generator.normal(size=values.shape))).astype(np.float32)
        tensors[name] = values
    return in_memory(tensors, description.metadata()), network_spec(description)


def disguised(item: Item, seed: int) -> Item:
    """The same function, its neurons shuffled and rescaled."""
    checkpoint, spec = item
    action = random_action(spec, np.random.default_rng(seed), rescale=True)
    return as_checkpoint(acted(action, spec, tensors_of(checkpoint, spec)), checkpoint), spec


def in_common_scales(item: Item) -> Tensors:
    """The tensors of a network in the scales in which networks are matched."""
    checkpoint, spec = item
    return acted(scale_action(checkpoint, spec), spec, tensors_of(checkpoint, spec))


def some_data(architecture: Architecture) -> Dataset:
    """Inputs that an architecture takes, drawn at random, with labels that mean nothing."""
    generator, asked = torch.Generator().manual_seed(1), described(architecture)
    if "text" in architecture.takes:
        inputs = torch.randint(VOCABULARY, (48, *WINDOW), generator=generator)
        return Dataset("random", "text", asked.shape, asked.classes, *(inputs, inputs) * 3)
    inputs = torch.rand((48, int(np.prod(IMAGE))), generator=generator)
    labels = torch.randint(asked.classes, (48,), generator=generator)
    return Dataset("random", "images", asked.shape, asked.classes, *(inputs, labels) * 3)


def said(tensors: Tensors, like: Checkpoint, architecture: Architecture) -> torch.Tensor:
    """What a network says of five inputs."""
    generator = torch.Generator().manual_seed(0)
    if "text" in architecture.takes:
        inputs = torch.randint(VOCABULARY, (5, *WINDOW), generator=generator)
    else:
        inputs = torch.rand((5, int(np.prod(IMAGE))), generator=generator)
    with torch.inference_mode():
        return load_module(as_checkpoint(tensors, like)).eval()(inputs)


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())
