"""How good a network is on labelled inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Scores:
    """What a network reaches.

    Args:
        accuracy: share of inputs whose largest logit is the label's, 0 to 1.
        loss: mean cross entropy, in nats.
    """

    accuracy: float
    loss: float


def score(module: nn.Module, inputs: Tensor, labels: Tensor) -> Scores:
    """Runs a network once over inputs [N, F] with labels [N]."""
    with torch.inference_mode():
        logits = module(inputs)  # [N, classes]
        loss = nn.functional.cross_entropy(logits, labels)
        correct = (logits.argmax(1) == labels).double().mean()
    return Scores(float(correct), float(loss))
