"""Networks and their files: what a file's metadata must say so that the network can be rebuilt and run."""

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.checkpoint.reader import DESCRIPTION_KEY
from wembed.errors import CheckpointRefusedError
from wembed.models.architectures import Architecture

METADATA_KEY = DESCRIPTION_KEY

_MOST_FEATURES = 1 << 24  # numbers of one input

_Size = Annotated[int, Field(ge=1, le=1 << 20)]


class ModelDescription(BaseModel):
    """What rebuilds a network.

    Args:
        architecture: its kind and settings.
        shape: of one input, see Dataset.
        classes: number of labels; of text the size of the vocabulary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Architecture
    shape: Annotated[tuple[_Size, ...], Field(min_length=1, max_length=3)]
    classes: _Size

    @model_validator(mode="after")
    def _check_size(self) -> "ModelDescription":
        if math.prod(self.shape) > _MOST_FEATURES:
            raise ValueError(f"inputs of shape {self.shape} have more than {_MOST_FEATURES} numbers")
        return self

    def build(self) -> nn.Module:
        """A freshly initialised network.

        Raises:
            ValueError: the architecture takes no inputs of this shape.
            WembedError: a library that it needs is not installed.
        """
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


def initial_state(description: ModelDescription, seed: int) -> dict[str, NDArray[np.float32]]:
    """What a file holds of a network that is freshly initialised as its framework does it, by name.

    Raises:
        ValueError, WembedError: it can't be built, see `ModelDescription.build`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = description.build()
    return {name: value.numpy(force=True).copy() for name, value in stored_tensors(module).items()}


def stored_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The tensors that a file holds of a network: all floating ones, those of several names once."""
    later = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    later -= {name for name, _ in module.named_parameters()}
    state = module.state_dict()
    return {name: value for name, value in state.items() if value.is_floating_point() and name not in later}


def load_module(checkpoint: Checkpoint) -> nn.Module:
    """The network of a checkpoint, in evaluation mode: flat inputs [B, F], or text [B, T], to logits.

    Raises:
        CheckpointRefusedError: it carries no description of its network, or its tensors do not fit it.
        WembedError: a library that the network needs is not installed.
    """
    description = describe(checkpoint)
    module = fitting_module(checkpoint, description)
    names = stored_tensors(module)
    state = {name: torch.from_numpy(checkpoint.read(name)).float() for name in names}
    if _holds_more(module, names):
        with torch.random.fork_rng(devices=[]):
            module = description.build()
        module.load_state_dict(state, strict=False)
    else:
        module.load_state_dict(state, strict=False, assign=True)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.num_batches_tracked = torch.tensor(0)
    return module.eval()


def fitting_module(checkpoint: Checkpoint, description: ModelDescription) -> nn.Module:
    """The network of a description that a checkpoint's tensors fit, on the meta device, where no size costs memory.

    Raises:
        CheckpointRefusedError: they do not fit, or it describes no network.
        WembedError: a library that it needs is not installed.
    """
    try:
        with torch.device("meta"):
            module = description.build()
    except ValueError as error:
        raise CheckpointRefusedError(f"{checkpoint.path}: {error}") from error
    _check_fit(checkpoint, stored_tensors(module))
    return module


def _holds_more(module: nn.Module, stored: Mapping[str, Tensor]) -> bool:
    """Whether a network holds what only building it gives: tensors under several names, buffers beside its state."""
    state = module.state_dict()
    named_twice = any(value.is_floating_point() and name not in stored for name, value in state.items())
    return named_twice or any(name not in state for name, _ in module.named_buffers())


def _check_fit(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    for name, value in expected.items():
        found = checkpoint.tensors[name].shape if name in checkpoint.tensors else None
        if found != tuple(value.shape):
            shape = "nothing" if found is None else f"shape {list(found)}"
            message = f"{checkpoint.path}: tensor {name}: found {shape}, its description says {list(value.shape)}"
            raise CheckpointRefusedError(message)
