"""What training makes small: views of one run apart, and accuracies misread.

Legend: R runs, D features.
"""

import torch
from torch import Tensor, nn


def contrastive(vectors: Tensor, temperature: float) -> Tensor:
    """InfoNCE between two views of each of R runs, all other views of the batch as negatives (SimCLR, 2020).

    Args:
        vectors: [2 R, D], the first views of all runs, then the second ones.
        temperature: of the softmax over cosines.
    """
    unit = nn.functional.normalize(vectors, dim=1)
    scores = unit @ unit.T / temperature  # [2 R, 2 R]
    scores = scores.masked_fill(torch.eye(len(scores), dtype=torch.bool, device=scores.device), -torch.inf)
    partners = torch.arange(len(scores), device=scores.device).roll(len(scores) // 2)
    return nn.functional.cross_entropy(scores, partners)


def accuracy_divergence(logits: Tensor, accuracy: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of a predicted share of right answers [B] from the measured one, in nats.

    Networks of unknown accuracy (NaN) do not count.
    """
    known = ~accuracy.isnan()
    if not known.any():
        return logits.sum() * 0.0
    logits, accuracy = logits[known], accuracy[known]
    cross = nn.functional.binary_cross_entropy_with_logits(logits, accuracy)
    return cross - nn.functional.binary_cross_entropy(accuracy, accuracy)
