"""What an encoder sees of endpoints in; how far networks are from what a merge of them should look like out.

Legend: B networks, P probes, N nodes, D length of what is learned of an embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.encoder import Item, unit_rows
from wembed.encoder.batches import Batch
from wembed.encoder.gnn import Gnn
from wembed.encoder.probes import Probes
from wembed.graph import build_graph
from wembed.merging.names import Maximised

_EMBEDDING = 0.5  # weight of the miss of the embedding beside that of the answers
_ACCURACY = 0.3  # weight of the predicted accuracy's logit beside the latter
_TINY = 1e-9


@dataclass(frozen=True)
class Goal:
    """What networks should look like to an encoder.

    Args:
        encoder: frozen.
        answers: to the probes, centred over the classes, [B, P, N] for every end of the network; () without probes.
        embedding: what is learned of it, [B, D].
        maximise: what else is wanted.
    """

    encoder: Gnn
    answers: tuple[Tensor, ...]
    embedding: Tensor
    maximise: Maximised | None = None

    @classmethod
    def between(
        cls, groups: Sequence[Sequence[Item]], weights: Sequence[float], encoder: Gnn, maximise: Maximised | None
    ) -> Self:
        """The weighted sums of what is seen of endpoints.

        Args:
            groups: endpoints of each of B merges, all of one structure.
            weights: how much of each endpoint is in a merge.
            encoder: what sees them.
            maximise: what else is wanted.
        """
        answers: list[Tensor] = []
        embedding = torch.zeros(())
        for weight, items in zip(weights, zip(*groups, strict=True), strict=True):
            batch = encoder.batch([build_graph(*item) for item in items]).to(encoder.device)
            with torch.no_grad():
                found = [weight * answer for answer in _answers(encoder, batch)]
            answers = [a + b for a, b in zip(answers, found, strict=True)] if answers else found
            embedding = embedding + weight * torch.from_numpy(learned_embedding(encoder, items))
        return cls(encoder, tuple(answers), embedding.float().to(encoder.device), maximise)

    def miss(self, batch: Batch) -> Tensor:
        """How far B networks are from it, [B]; the larger the predicted accuracy, the less, where that is wanted."""
        found = torch.zeros(len(self.embedding), device=self.embedding.device)
        for answer, target in zip(_answers(self.encoder, batch), self.answers, strict=True):
            found = found + _relative(answer, target)
        if self.maximise == "accuracy":
            return found - _ACCURACY * self.encoder.module.accuracy_logits(batch)
        seen = self.encoder.module(batch)[:, : self.embedding.shape[1]]
        apart = 1.0 - nn.functional.cosine_similarity(seen, self.embedding, dim=1)
        return found + (_EMBEDDING if self.answers else 1.0) * apart


def learned_embedding(encoder: Gnn, items: Sequence[Item]) -> NDArray[np.float32]:
    """What an encoder learned to see of networks, unit rows [B, D]: no signature of single neurons."""
    learned = encoder.embed(items)[:, : encoder.config.global_dim]
    return unit_rows(learned.astype(np.float64))


def _answers(encoder: Gnn, batch: Batch) -> list[Tensor]:
    """What networks answer to the encoder's probes, less the mean over classes, [B, P, N] for each of their ends."""
    probes: Probes | None = encoder.module.probes
    if probes is None:
        return []
    return [answer - answer.mean(-1, keepdim=True) for answer in probes.answers(batch).values()]


def _relative(answer: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference over mean square, [B]."""
    return (answer - target).square().mean((1, 2)) / (target.square().mean((1, 2)) + _TINY)
