"""Random weights that hide nothing: no bias is zero, no gain is one, and values stay of order one layer after layer."""

import math

import torch
from torch import Tensor, nn

_BIAS = 0.3  # standard deviation
_GAIN = 0.3  # around 1
_TABLE = 0.5  # of what is one vector, or a few, for all inputs: tokens, positions


def randomise(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draws every parameter and every running statistic of a module anew, in place, in float32.

    Args:
        module: on the CPU.
        generator: the source of randomness.
    """
    module = module.float()
    owners = dict(module.named_modules())
    with torch.no_grad():
        for name, value in module.named_parameters():
            path, _, last = name.rpartition(".")
            value.copy_(_parameter(value, last, owners[path], generator))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(_normal(buffer, _BIAS, generator))
            elif name.endswith("running_var"):
                buffer.copy_(_normal(buffer, _GAIN, generator).exp())
    return module


def _parameter(value: Tensor, name: str, owner: nn.Module, generator: torch.Generator) -> Tensor:
    if value.dim() <= 1:
        return _normal(value, _BIAS, generator) if "bias" in name else 1 + _normal(value, _GAIN, generator)
    if isinstance(owner, nn.Embedding):
        return _normal(value, 1.0, generator)
    if value.shape[0] == 1:
        return _normal(value, _TABLE, generator)
    return _normal(value, 1 / math.sqrt(max(1, _fan_in(value, owner))), generator)


def _fan_in(value: Tensor, owner: nn.Module) -> int:
    """How many products each output adds up, about; experts are matrices behind each other."""
    if isinstance(owner, nn.modules.conv._ConvNd):
        return value[0].numel()
    return value.shape[-1]


def _normal(value: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    return torch.randn(value.shape, generator=generator) * deviation
