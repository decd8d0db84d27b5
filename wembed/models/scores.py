"""How good a network is on labelled inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from wembed.models.data import IGNORED

_ROWS_AT_ONCE = 1024  # of inputs: what a network of moderate size computes on them fits into memory


@dataclass(frozen=True)
class Scores:
    """What a network reaches.

    Args:
        accuracy: share of labels that have the largest logit, 0 to 1.
        loss: mean cross entropy per label, in nats.
    """

    accuracy: float
    loss: float


def score(module: nn.Module, inputs: Tensor, labels: Tensor) -> Scores:
    """Runs a network once over inputs.

    Args:
        module: in evaluation mode; gives logits [N, classes], for text [N, T', classes].
        inputs: [N, F]; text: [N, T].
        labels: [N]; text: [N, T], of which the last T' count, unless they are IGNORED.
    """
    loss, correct, count = 0.0, 0, 0
    with torch.inference_mode():
        for part, asked_of in zip(torch.split(inputs, _ROWS_AT_ONCE), torch.split(labels, _ROWS_AT_ONCE), strict=True):
            logits, asked = _aligned(module(part), asked_of)
            loss += float(functional.cross_entropy(logits, asked, reduction="sum", ignore_index=IGNORED).double())
            correct += int((logits.argmax(1) == asked).sum())
            count += int((asked != IGNORED).sum())
    return Scores(correct / count, loss / count)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross entropy per label, in nats; labels as `score` takes them, or probabilities [N, classes]."""
    if labels.is_floating_point():
        return functional.cross_entropy(logits, labels)
    return functional.cross_entropy(*_aligned(logits, labels), ignore_index=IGNORED)


def _aligned(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [L, classes] and the labels [L] that they are for."""
    return logits.flatten(0, -2), labels[:, -logits.shape[1] :].flatten() if labels.dim() > 1 else labels
