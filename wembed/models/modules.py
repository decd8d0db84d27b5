"""Networks and their files: what a file's metadata must say so that the network can be rebuilt and run."""

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.models.architectures import Architecture

METADATA_KEY = "wembed.model"

_Size = Annotated[int, Field(ge=1, le=1 << 20)]


class ModelDescription(BaseModel):
    """What rebuilds a network.

    Args:
        architecture: its layers.
        shape: of one input, see Dataset.
        classes: number of labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Architecture
    shape: Annotated[tuple[_Size, ...], Field(min_length=1, max_length=3)]
    classes: _Size

    def build(self) -> nn.Sequential:
        """A freshly initialised network."""
        return self.architecture.build(self.shape, self.classes)

    def metadata(self) -> dict[str, str]:
        """The safetensors metadata entry that makes the description travel with its file."""
        return {METADATA_KEY: self.model_dump_json()}


def describe(checkpoint: Checkpoint) -> ModelDescription:
    """What a file says about its network.

    Raises:
        CheckpointRefusedError: it says nothing, or something that is no description.
    """
    if METADATA_KEY not in checkpoint.metadata:
        hint = "files that `wembed zoo build` makes carry one"
        raise CheckpointRefusedError(f"{checkpoint.path}: carries no description of its network to run it by", hint)
    try:
        return ModelDescription.model_validate_json(checkpoint.metadata[METADATA_KEY])
    except ValidationError as error:
        reason = error.errors()[0]
        where = ".".join(map(str, reason["loc"]))
        message = f"{checkpoint.path}: its description of the network is broken: {where} {reason['msg']}".lower()
        raise CheckpointRefusedError(message) from error


def load_module(checkpoint: Checkpoint) -> nn.Module:
    """The network of a checkpoint, in evaluation mode: flat inputs [B, F] to logits [B, classes].

    Raises:
        CheckpointRefusedError: it carries no description of its network, or its tensors do not fit it.
    """
    description = describe(checkpoint)
    try:
        with torch.device("meta"):
            module = description.build()
    except ValueError as error:
        raise CheckpointRefusedError(f"{checkpoint.path}: {error}") from error
    expected = module.state_dict()
    _check_fit(checkpoint, expected)
    state = {name: torch.from_numpy(checkpoint.read(name)).float() for name in expected if name in checkpoint.tensors}
    module.load_state_dict(state, strict=False, assign=True)
    for layer in module:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.num_batches_tracked = torch.tensor(0)
    return module.eval()


def _check_fit(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    for name, value in expected.items():
        if not value.is_floating_point():
            continue  # a counter of batches, which no forward pass reads
        found = checkpoint.tensors[name].shape if name in checkpoint.tensors else None
        if found != tuple(value.shape):
            shape = "nothing" if found is None else f"shape {list(found)}"
            message = f"{checkpoint.path}: tensor {name}: found {shape}, its description says {list(value.shape)}"
            raise CheckpointRefusedError(message)
