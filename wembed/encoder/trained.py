"""What the learned encoders have in common: a module that makes vectors, and a head that reads accuracies off them.

What the head reads stands first in a vector; what tells networks apart in other ways may stand behind it.
"""

from torch import Tensor, nn


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
        front = nn.functional.normalize(vectors[:, : self.length], dim=1)
        logits: Tensor = self.layers(front * self.length**0.5)[:, 0]
        return logits
