"""Networks whose files describe them, as those that wembed builds do."""

import math

import torch
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.models.foreign.runnable import Runnable
from wembed.models.modules import METADATA_KEY, ModelDescription, describe, fitting_module

_BATCH = 4
_MOST_CHARACTERS = 32  # of a window: attention costs their number squared


def described_runnable(checkpoint: Checkpoint) -> Runnable | None:
    """The network that a file's metadata describes, or None.

    Raises:
        CheckpointRefusedError: what it says is no description, or not of this file's network.
        WembedError: a library that the network needs is not installed.
    """
    if METADATA_KEY not in checkpoint.metadata:
        return None
    description = describe(checkpoint)
    fitting_module(checkpoint, description)
    return runnable_of(description)


def runnable_of(description: ModelDescription) -> Runnable:
    """The network of a description, with random inputs."""
    return Runnable(description.architecture.label, description.build, (_inputs(description),))


def _inputs(description: ModelDescription) -> Tensor:
    """Numbers [B, F], or characters [B, T]."""
    generator = torch.Generator().manual_seed(0)
    if "text" in description.architecture.takes:
        length = min(description.shape[0], _MOST_CHARACTERS)
        return torch.randint(description.classes, (_BATCH, length), generator=generator)
    return torch.randn(_BATCH, math.prod(description.shape), generator=generator)
