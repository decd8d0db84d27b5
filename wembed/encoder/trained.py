"""What the learned encoders have in common: a module that makes vectors, and a head that reads accuracies off them.

A vector has a learned part, of which the head reads, and may have a fixed part behind it.
"""

import torch
from torch import Tensor, nn


class AccuracyHead(nn.Module):
    """Reads an accuracy off the learned part of embeddings.

    Args:
        learned: length of the learned part.
    """

    def __init__(self, learned: int) -> None:
        super().__init__()
        self.learned = learned
        self.layers = nn.Sequential(nn.Linear(learned, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits of accuracies [B] from embeddings [B, D], whatever their length."""
        learned = nn.functional.normalize(vectors[:, : self.learned], dim=1)
        logits: Tensor = self.layers(learned * self.learned**0.5)[:, 0]
        return logits


def accuracies(head: AccuracyHead, vectors: Tensor) -> Tensor:
    """Accuracies [B], 0 to 1, that a head reads off embeddings [B, D]."""
    with torch.inference_mode():
        return torch.sigmoid(head(vectors))
