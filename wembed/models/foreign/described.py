"""Networks whose files describe them, as those that wembed builds do."""

import math

import torch

from wembed.checkpoint import Checkpoint
from wembed.models.foreign.runnable import Runnable
from wembed.models.modules import METADATA_KEY, describe

_BATCH = 4


def described_runnable(checkpoint: Checkpoint) -> Runnable | None:
    """The network that a file's metadata describes, or None.

    Raises:
        CheckpointRefusedError: what it says is no description.
    """
    if METADATA_KEY not in checkpoint.metadata:
        return None
    description = describe(checkpoint)
    inputs = torch.randn(_BATCH, math.prod(description.shape), generator=torch.Generator().manual_seed(0))
    return Runnable(description.architecture.label, description.build, (inputs,))
