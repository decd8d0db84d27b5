"""A network's tensors and inputs in; what the network says of them out."""

import torch
from torch import Tensor

from wembed.checkpoint import in_memory
from wembed.models import ModelDescription, load_module
from wembed.zoo.builder.lineage.change import Tensors

_VALUES = 1 << 16  # of the inputs at once: what comes out of a small network for so many fits into a cache


@torch.no_grad()
def logits_of(tensors: Tensors, description: ModelDescription, inputs: Tensor) -> Tensor:
    """The logits of a network in evaluation mode.

    Args:
        tensors: its parameters and running statistics, by state-dict name.
        description: what rebuilds it.
        inputs: [B, F] or [B, T], see Dataset.

    Returns:
        [B, classes]; of text [B, T', classes].
    """
    module = load_module(in_memory(tensors, description.metadata()))
    return torch.cat([module(part) for part in torch.split(inputs, max(1, _VALUES // inputs.shape[1]))])
