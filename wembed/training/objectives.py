"""What training makes small: views of relatives apart, and accuracies misread.

Legend: P pairs, D features.
"""

import torch
from torch import Tensor, nn


def contrastive(vectors: Tensor, related: Tensor, temperature: float) -> Tensor:
    """InfoNCE between the two networks of each of P pairs, all strangers in the batch as negatives (SimCLR, 2020).

    Args:
        vectors: [2 P, D], the first networks of all pairs, then the second ones.
        related: [2 P, 2 P], which are no strangers; beside its partner a network is compared to none of these.
        temperature: of the softmax over cosines.
    """
    unit = nn.functional.normalize(vectors, dim=1)
    scores = unit @ unit.T / temperature  # [2 P, 2 P]
    own = torch.arange(len(scores), device=scores.device)
    partners = own.roll(len(scores) // 2)
    left_out = related.clone()
    left_out[own, partners] = False
    left_out[own, own] = True
    return nn.functional.cross_entropy(scores.masked_fill(left_out, -torch.inf), partners)


def accuracy_divergence(logits: Tensor, accuracy: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of a predicted share of right answers [B] from the measured one, in nats."""
    cross = nn.functional.binary_cross_entropy_with_logits(logits, accuracy)
    return cross - nn.functional.binary_cross_entropy(accuracy, accuracy)
