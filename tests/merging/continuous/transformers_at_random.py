"""Transformers of every kind at random places, gains and biases too, and what they compute."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wembed.checkpoint import Checkpoint, in_memory
from wembed.merging.tensors import Tensors
from wembed.models import GPT2, T5, Architecture, Bert, Llama, ModelDescription, ViT, initial_state, load_module
from wembed.models.foreign import runnable_of
from wembed.symmetry import SymmetrySpec
from wembed.zoo.builder.specs import network_spec

TURNING = (  # whose stream can be turned
    ViT(patch=4, width=12, layers=2, heads=3, expansion=1),
    GPT2(width=12, layers=1, heads=3, tied=False),
    Llama(width=16, layers=1, heads=4, kv_heads=2),
    T5(width=12, layers=1, heads=2, tied=False),
)
STILL = (  # whose stream only permutations pass
    GPT2(width=12, layers=1, heads=3),
    Llama(width=16, layers=1, heads=4, kv_heads=2, tied=True),
    T5(width=12, layers=1, heads=2),
    Bert(width=12, layers=1, heads=3),
)


def label_of(architecture: Architecture) -> str:
    return architecture.label


@dataclass(frozen=True)
class Network:
    """A network's description, its symmetries and its tensors."""

    description: ModelDescription
    spec: SymmetrySpec
    tensors: Tensors

    @property
    def like(self) -> Checkpoint:
        """What says how to run it."""
        values = {name: values.astype(np.float32) for name, values in self.tensors.items()}
        return in_memory(values, self.description.metadata(), Path("a.safetensors"))

    def logits(self, tensors: Tensors) -> torch.Tensor:
        """What it computes with some tensors, in double precision where its library keeps to it."""
        module = load_module(self.like).double()
        state = {name: torch.from_numpy(values) for name, values in tensors.items()}
        module.load_state_dict(state, strict=False, assign=True)
        tie = getattr(module, "tie_weights", None)
        if tie:
            tie()
        with torch.no_grad():
            return module(self._inputs())

    def _inputs(self) -> torch.Tensor:
        inputs = runnable_of(self.description).args[0]
        return inputs.double() if inputs.is_floating_point() else inputs


def at_random(architecture: Architecture, seed: int) -> Network:
    """A network of an architecture whose tensors, gains and biases too, are drawn from a seed."""
    shape, classes = ((16,), 23) if "text" in architecture.takes else ((1, 8, 8), 10)
    description = ModelDescription(architecture=architecture, shape=shape, classes=classes)
    generator = np.random.default_rng(seed)
    state = initial_state(description, seed)
    tensors = {
        name: values * np.exp(generator.normal(0.0, 0.3, values.shape)) + generator.normal(0.0, 0.1, values.shape)
        for name, values in state.items()
    }
    return Network(description, network_spec(description), tensors)
