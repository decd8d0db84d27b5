"""The mean of what several networks say: what a merge of them is measured against from above.

It takes as many runs as there are networks, so it is no merge; none of those here is expected to reach it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.models import Dataset, Scores, load_module, score


def ensemble_scores(checkpoints: Sequence[Checkpoint], dataset: Dataset) -> Scores:
    """What the mean of the networks' probabilities reaches on held-out inputs."""
    ensemble = _Ensemble([load_module(checkpoint) for checkpoint in checkpoints])
    return score(ensemble, dataset.test_inputs, dataset.test_labels)


class _Ensemble(nn.Module):
    """Gives the logarithm of the mean probability [..., classes], which stands in for logits."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        said = torch.stack([member(inputs).softmax(-1) for member in self.members])
        return said.mean(0).log()
