"""What the learned encoders have in common: a module that makes vectors, and a head that reads accuracies off them.

What the head reads stands first in a vector; what tells networks apart in other ways may stand behind it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

AddUp = Callable[[Iterable[Tensor]], None]  # sums tensors over all processes that train, in place
Module = TypeVar("Module", bound=nn.Module)


class AccuracyHead(nn.Module):
    """Reads an accuracy off the front of embeddings.

    Args:
        length: of what it reads.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.layers = nn.Sequential(nn.Linear(length, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits of accuracies [B] from embeddings [B, D], whatever their length."""
        front = unit_vectors(vectors[:, : self.length])
        logits: Tensor = self.layers(front * self.length**0.5)[:, 0]
        return logits.float()


def unit_vectors(vectors: Tensor) -> Tensor:
    """Vectors [B, D] at length 1, in full precision, though autocast may have made them in half of it."""
    return nn.functional.normalize(vectors.float(), dim=1)


def initialised(build: Callable[[], Module], seed: int, weights: Mapping[str, Tensor] | None) -> Module:
    """A module for evaluation, with given weights, or with those that a seed draws.

    Raises:
        RuntimeError: the weights do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build().eval()
    if weights is not None:
        module.load_state_dict(dict(weights))
    return module


def stored_bytes(module: nn.Module) -> bytes:
    """All weights of a module, which its encoder's id follows from."""
    return b"".join(value.numpy().tobytes() for _, value in sorted(module.state_dict().items()))
