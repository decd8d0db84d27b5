"""A module's parameters in; the optimizer that moves them, and its learning rate over a training, out."""

import math

import torch
from torch import nn

from wembed.training.options import TrainOptions

_WARM_UP = 0.1  # share of the steps
_PROBE_RATE = 5.0  # learned inputs lie on another scale than weights


def make_optimizer(module: nn.Module, options: TrainOptions) -> torch.optim.Optimizer:
    """AdamW; learned inputs have a larger rate and no decay."""
    inputs = [value for name, value in module.named_parameters() if name.startswith("probes.inputs")]
    others = [value for value in module.parameters() if all(value is not known for known in inputs)]
    groups: list[dict[str, object]] = [{"params": others, "peak": options.learning_rate}]
    if inputs:
        groups.append({"params": inputs, "peak": _PROBE_RATE * options.learning_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, weight_decay=options.weight_decay)


def set_rate(optimizer: torch.optim.Optimizer, done: float) -> None:
    """A short warm-up, then half a cosine.

    Args:
        optimizer: from `make_optimizer`.
        done: share of all steps of a training, of as many epochs as it may have.
    """
    rest = 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * (done / _WARM_UP if done < _WARM_UP else rest)
