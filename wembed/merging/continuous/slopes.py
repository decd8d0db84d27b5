"""Slopes: weights of a network that can be run in; its loss on training inputs and the loss's gradient in them out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.merging.tensors import Tensors, as_checkpoint, tensors_of
from wembed.models import Dataset, cross_entropy, load_module, score
from wembed.symmetry import SymmetrySpec

_TRIED = 256  # training inputs that a loss is measured on
_BATCH = 64
_SEED = 0  # of the batches


@dataclass(frozen=True)
class Slopes:
    """A network that takes weights in turn, and inputs for training.

    Args:
        module: whose weights are overwritten.
        weights: the spec's tensors in it.
        dataset: whose training part is drawn from.
        generator: draws batches.
    """

    module: nn.Module
    weights: Mapping[str, Tensor]
    dataset: Dataset
    generator: np.random.Generator

    @classmethod
    def on(cls, dataset: Dataset, spec: SymmetrySpec, like: Checkpoint) -> Self:
        """Those of networks like a checkpoint's."""
        module = load_module(as_checkpoint(tensors_of(like, spec), like)).requires_grad_(True)
        state = module.state_dict(keep_vars=True)
        return cls(module, {name: state[name] for name in spec.tensors}, dataset, np.random.default_rng(_SEED))

    def loss(self, tensors: Tensors) -> float:
        """The loss on some of the training inputs, the same ones each time."""
        self._hold(tensors)
        return score(self.module, self.dataset.train_inputs[:_TRIED], self.dataset.train_labels[:_TRIED]).loss

    def gradient(self, tensors: Tensors) -> Tensors:
        """The gradient of the loss on a batch in each tensor."""
        self._hold(tensors)
        self.module.zero_grad()
        inputs, labels = self._batch()
        with torch.enable_grad():
            torch.autograd.backward(cross_entropy(self.module(inputs), labels))
        return {name: _slope(weight) for name, weight in self.weights.items()}

    def _batch(self) -> tuple[Tensor, Tensor]:
        inputs, labels = self.dataset.train_inputs, self.dataset.train_labels
        rows = torch.from_numpy(self.generator.integers(len(inputs), size=_BATCH))
        return inputs[rows], labels[rows]

    def _hold(self, tensors: Tensors) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(torch.from_numpy(tensors[name]))


def _slope(weight: Tensor) -> NDArray[np.float64]:
    if weight.grad is None:
        return np.zeros(weight.shape)
    return np.asarray(weight.grad.numpy(), dtype=np.float64)
