"""Units of an average that have gone quiet, brought back to the means and deviations that they have at the ends.

Averaging cancels what differs, so units of an average vary less than those of its endpoints, more so with every layer
(variance collapse). REPAIR (Jordan et al., 2022) sets each unit's mean and deviation on training inputs to the
interpolated ones. Here the correction goes into weights and biases, layer by layer; where a batch norm follows, its
recomputed statistics do the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.merging.aligned import Aligned
from wembed.merging.matching.search import are_one, compared
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import Tensors, as_checkpoint
from wembed.merging.units import units_first
from wembed.models import Dataset, load_module, score
from wembed.symmetry import Layer, SymmetrySpec

_QUIET = 1e-6  # deviation below which a unit is taken for constant
_ROUNDING = 1e-5  # of a statistic that two copies have


@dataclass(frozen=True)
class Moments:
    """What units of one layer write, over inputs and pixels: mean [n] and deviation [n]."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def renewed(
    aligned: Aligned, weights: Sequence[float], tensors: Tensors, like: Checkpoint, dataset: Dataset
) -> Tensors:
    """A network between matched ones, as training inputs want it: batch-norm statistics recomputed, units repaired.

    Units are repaired where that lowers the loss on the training part, and left where it does not. What is one of the
    ends, as an average of copies is, stays as it is.

    Args:
        aligned: the ends; where they were not matched, units are left as they are.
        weights: how much of each end is in the network.
        tensors: of the network, in common scales.
        like: a checkpoint that says how to run it.
        dataset: whose training inputs to run.
    """
    spec, inputs = aligned.spec, dataset.train_inputs
    if any(_is_same(end, tensors, spec) for end in aligned.networks):
        return tensors
    plain = with_statistics(tensors, spec, like, inputs)
    if not aligned.groups or max(weights) == 1.0:
        return plain
    ends = [moments(network, spec, like, inputs) for network in aligned.networks]
    louder = with_statistics(repaired(tensors, _between(ends, weights), spec, like, inputs), spec, like, inputs)
    return min(plain, louder, key=lambda network: training_loss(network, like, dataset))


def _is_same(end: Tensors, tensors: Tensors, spec: SymmetrySpec) -> bool:
    """Whether a network is another, up to rounding, with its batch norms' statistics."""
    statistics = spec.tensors.keys() - set(compared(spec))
    return are_one(end, tensors, spec) and all(
        np.allclose(tensors[name], end[name], rtol=_ROUNDING, atol=_ROUNDING * np.abs(end[name]).max(initial=0.0))
        for name in statistics
    )


def training_loss(tensors: Tensors, like: Checkpoint, dataset: Dataset) -> float:
    """A network's loss on the training part, run as another checkpoint says."""
    return score(load_module(as_checkpoint(tensors, like)), dataset.train_inputs, dataset.train_labels).loss


def moments(tensors: Tensors, spec: SymmetrySpec, like: Checkpoint, inputs: Tensor) -> dict[str, Moments]:
    """Layer -> what its units write on inputs [B, F], for every dense layer that an activation follows directly."""
    found: dict[str, Moments] = {}
    module = load_module(as_checkpoint(tensors, like))
    layers = dict(module.named_modules())

    def watch(name: str) -> None:
        def keep(_: nn.Module, __: tuple[Tensor, ...], written: Tensor) -> None:
            units = units_first(layers[name], written).double().flatten(1)  # [n, B ...]
            found[name] = Moments(units.mean(1).numpy(), units.std(1).numpy())

        layers[name].register_forward_hook(keep)

    for layer in _repairable(spec):
        if layer.name in layers:
            watch(layer.name)
    with torch.inference_mode():
        module(inputs)
    return found


def repaired(
    tensors: Tensors, targets: Mapping[str, Moments], spec: SymmetrySpec, like: Checkpoint, inputs: Tensor
) -> Tensors:
    """A network whose units have given means and deviations on inputs [B, F], layer by layer from the first.

    A unit that is constant keeps its deviation.
    """
    for layer in _repairable(spec):
        if layer.name not in targets or "bias" not in layer.tensors:
            continue
        found, target = moments(tensors, spec, like, inputs)[layer.name], targets[layer.name]
        factor = np.where(found.deviation > _QUIET, target.deviation / np.maximum(found.deviation, _QUIET), 1.0)
        weight, bias = layer.tensors["weight"], layer.tensors["bias"]
        shape = [-1 if role == "target" else 1 for role in layer.layout]
        shifted = tensors[bias] * factor + target.mean - factor * found.mean
        tensors = {**tensors, weight: tensors[weight] * factor.reshape(shape), bias: shifted}
    return tensors


def _repairable(spec: SymmetrySpec) -> list[Layer]:
    """The dense layers whose units go through an activation and no norm before it, in data-flow order."""
    normed = {layer.source for layer in spec.layers if layer.kind == "batch_norm"}
    return [
        layer
        for layer in spec.layers
        if layer.kind == "dense" and layer.target not in normed and not spec.sites[layer.target].fixed
    ]


def _between(ends: Sequence[Mapping[str, Moments]], weights: Sequence[float]) -> dict[str, Moments]:
    return {
        name: Moments(
            np.asarray(sum(w * end[name].mean for w, end in zip(weights, ends, strict=True))),
            np.asarray(sum(w * end[name].deviation for w, end in zip(weights, ends, strict=True))),
        )
        for name in ends[0]
    }
