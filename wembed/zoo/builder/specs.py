"""The description of a network in; its symmetries, under the names of its file, out."""

from functools import cache

import torch
from torch import nn

from wembed.models import ModelDescription, chain_steps, stored_tensors
from wembed.models.foreign import runnable_of
from wembed.symmetry import SymmetrySpec, declare_spec
from wembed.symmetry.fitted import shrunk, traced_spec


@cache
def network_spec(description: ModelDescription) -> SymmetrySpec:
    """The symmetries of a network: declared for a plain chain, traced for any other.

    Raises:
        ValueError: its architecture takes no inputs of this shape.
        WembedError: it cannot be traced, or a library that it needs is not installed.
    """
    with torch.device("meta"):
        module = description.build()
    shapes = {name: tuple(value.shape) for name, value in stored_tensors(module).items()}
    has_layer_norm = any(isinstance(layer, nn.LayerNorm) for layer in module.children())  # of which no step speaks
    if description.architecture.stackable and isinstance(module, nn.Sequential) and not has_layer_norm:
        return declare_spec(shapes, [chain_steps(module)])
    runnable = runnable_of(description)
    return shrunk(traced_spec(runnable), runnable.shapes.keys() - shapes.keys(), runnable.tied)
