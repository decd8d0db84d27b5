"""Batch-norm statistics: what a network's norms really see on a data set's training inputs.

An average of two networks is neither, and the averaged statistics are wrong for it; recomputing them is most of what
REPAIR does (Jordan et al., 2022). Everything here is one forward pass over all training inputs.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.errors import UsageError
from wembed.merging.tensors import Tensors, as_checkpoint, tensors_of
from wembed.models import Dataset, describe, load_module
from wembed.symmetry import SymmetrySpec


def check_dataset(checkpoint: Checkpoint, dataset: Dataset) -> None:
    """Raises a UsageError if a network does not take the inputs of a data set, or has other labels."""
    description = describe(checkpoint)
    found = (description.shape, description.classes)
    if found != (dataset.shape, dataset.classes):
        takes = f"takes inputs of shape {list(found[0])} with {found[1]} labels"
        has = f"data set {dataset.name} has shape {list(dataset.shape)} and {dataset.classes}"
        raise UsageError(f"{checkpoint.path} {takes}, {has}", "give the data set that it was trained on")


def norm_variances(checkpoint: Checkpoint, spec: SymmetrySpec, inputs: Tensor) -> dict[str, NDArray[np.float64]]:
    """Batch norm's name -> the variance [N] of what enters it when the network runs on inputs [B, F].

    Raises:
        CheckpointRefusedError: the checkpoint does not say how to run it.
    """
    norms = {layer.name for layer in spec.layers if layer.kind == "batch_norm"}
    if not norms:
        return {}
    found: dict[str, NDArray[np.float64]] = {}

    def watch(name: str) -> None:
        def keep(_: nn.Module, seen: tuple[Tensor, ...]) -> None:
            found[name] = seen[0].double().transpose(0, 1).flatten(1).var(1).numpy()  # [N]

        layers[name].register_forward_pre_hook(keep)

    module = load_module(as_checkpoint(tensors_of(checkpoint, spec), checkpoint))
    layers = dict(module.named_modules())
    for name in norms & layers.keys():
        watch(name)
    with torch.inference_mode():
        module(inputs)
    return found


def with_statistics(tensors: Tensors, spec: SymmetrySpec, like: Checkpoint, inputs: Tensor) -> Tensors:
    """The same network with the running statistics that its norms have on inputs [B, F].

    Args:
        tensors: of the network, float64.
        spec: its symmetries.
        like: a checkpoint that says how to run it.
        inputs: what to run it on.
    """
    if not has_norms(spec):
        return tensors
    module = load_module(as_checkpoint(tensors, like))
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None  # a plain average over what is seen
    with torch.no_grad():
        module.train()(inputs)
    state = module.state_dict()
    fresh = {
        layer.tensors[role]: state[layer.tensors[role]].double().numpy()
        for layer in spec.layers
        if layer.kind == "batch_norm"
        for role in ("running_mean", "running_var")
    }
    return {**tensors, **fresh}


def has_norms(spec: SymmetrySpec) -> bool:
    """Whether there are statistics to recompute."""
    return any(layer.kind == "batch_norm" for layer in spec.layers)
