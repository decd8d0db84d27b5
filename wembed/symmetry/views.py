"""Views of layers: weights as read from the file, seen through scales that are kept beside them.

A view never changes a file and holds no weight: it reads one when asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry.axes import Axis, Product, axis_size
from wembed.symmetry.spec import Layer, SymmetrySpec

Vector = NDArray[np.float64]
Scales = Mapping[str, Vector]  # site -> factors along it


@dataclass(frozen=True)
class DenseView:
    """A linear or convolution layer as seen in the canonical view.

    Args:
        name: the layer's name.
        source: the site that it reads.
        target: the site that it writes.
        up: factors [T] on the weight's targets.
        down: factors [S] on its sources.
        bias: [T], zeros where the layer has none.
        bias_size: [T], the size of the parts that the bias adds up from: what its rounding errors are measured by.
        taps: the grid of the taps: pixels of a flatten, then kernel positions; () for a plain matrix.
    """

    name: str
    source: str
    target: str
    up: Vector
    down: Vector
    bias: Vector
    bias_size: Vector
    taps: tuple[int, ...]
    _checkpoint: Checkpoint = field(repr=False)
    _spec: SymmetrySpec = field(repr=False)
    _layer: Layer = field(repr=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer) -> Self:
        """A dense layer as it is in the file."""
        source, target = (spec.size_of(spec.sites[name].axis) for name in (layer.source, layer.target))
        bias = np.zeros(target)
        if "bias" in layer.tensors:
            bias = checkpoint.read(layer.tensors["bias"]).astype(np.float64)
        taps = tuple(spec.sizes[name] for name in _tap_atoms(spec, layer))
        up, down = np.ones(target), np.ones(source)
        ends = (layer.source, layer.target)
        return cls(layer.name, *ends, up, down, bias, np.abs(bias), taps, checkpoint, spec, layer)

    def scaled(self, up: Scales, down: Scales) -> Self:
        """With its target channels multiplied by `up` and its source channels by `down`, where these name its sites."""
        view = self
        if self.target in up:
            factors = up[self.target]
            sizes = self.bias_size * np.abs(factors)
            view = replace(view, up=self.up * factors, bias=self.bias * factors, bias_size=sizes)
        return replace(view, down=self.down * down[self.source]) if self.source in down else view

    def density(self) -> Vector:
        """A [T, S]: the squares of fan_in W, summed over taps and divided by T, S, taps: it adds up to their mean."""
        weight = self.weight()
        targets, sources, taps = weight.shape
        density: Vector = np.square(weight).sum(2) * (sources * taps / targets)
        return density

    def weight(self) -> NDArray[np.float64]:
        """The canonical weight [T, S, taps], read from the file now."""
        return _weight(self._checkpoint, self._spec, self._layer) * self.up[:, None, None] * self.down[None, :, None]


@dataclass(frozen=True)
class AffineView:
    """A batch norm that is not folded: y = gain x + shift, channel by channel.

    Args:
        name: the layer's name.
        source: the site that it reads.
        target: the site that it writes.
        gain: [N].
        shift: [N].
    """

    name: str
    source: str
    target: str
    gain: Vector
    shift: Vector

    @classmethod
    def of(cls, checkpoint: Checkpoint, norm: Layer) -> Self:
        """A batch norm as it is in the file, with its running statistics.

        Raises:
            CheckpointRefusedError: a variance that is not positive.
        """
        read = {role: checkpoint.read(name).astype(np.float64) for role, name in norm.tensors.items()}
        variance = read["running_var"] + norm.eps
        if not (variance > 0).all():
            found = float(read["running_var"].min())
            name = norm.tensors["running_var"]
            raise CheckpointRefusedError(f"{checkpoint.path}: {name} holds {found:g}, expected a variance above 0")
        gain = read["weight"] / np.sqrt(variance)
        return cls(norm.name, norm.source, norm.target, gain, read["bias"] - gain * read["running_mean"])

    def scaled(self, up: Scales, down: Scales) -> Self:
        """The same as for a dense layer."""
        view = self
        if self.target in up:
            view = replace(view, gain=self.gain * up[self.target], shift=self.shift * up[self.target])
        return replace(view, gain=view.gain * down[self.source]) if self.source in down else view


@dataclass(frozen=True)
class Flow:
    """The layers of a network.

    Args:
        dense: linear and convolution layers, in data-flow order.
        affine: the batch norms that are not folded.
    """

    dense: tuple[DenseView, ...]
    affine: tuple[AffineView, ...]

    @property
    def sites(self) -> set[str]:
        """The sites that its layers read and write."""
        ends = [(layer.source, layer.target) for layer in self.dense]
        ends += [(norm.source, norm.target) for norm in self.affine]
        return {site for pair in ends for site in pair}

    def scaled(self, up: Scales, down: Scales) -> Self:
        """Every layer scaled."""
        dense = tuple(layer.scaled(up, down) for layer in self.dense)
        return replace(self, dense=dense, affine=tuple(norm.scaled(up, down) for norm in self.affine))


def _tap_atoms(spec: SymmetrySpec, layer: Layer) -> list[str]:
    """The atoms that make up a weight's taps: what a flatten put beside the source, then the kernel's."""
    axes = spec.tensors[layer.tensors["weight"]]
    source = spec.sites[layer.source].axis
    reads = axes[layer.layout.index("source")]
    beside = [] if reads == source or not isinstance(reads, Product) else [f for f in reads.factors if f != source]
    kernel = [axis for role, axis in zip(layer.layout, axes, strict=True) if role == "tap"]
    return [str(axis) for axis in (*beside, *kernel)]


def _weight(checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer) -> NDArray[np.float64]:
    """A layer's weight from the file as [T, S, taps], a flattened source taken apart into channels and pixels."""
    name, source = layer.tensors["weight"], spec.sites[layer.source].axis
    shape: list[int] = []
    order: dict[str, list[int]] = {"target": [], "source": [], "beside": [], "tap": []}
    for role, axis in zip(layer.layout, spec.tensors[name], strict=True):
        parts: tuple[Axis, ...] = (axis,)
        if role == "source" and axis != source and isinstance(axis, Product):
            parts = axis.factors
        for part in parts:
            place = "beside" if role == "source" and part != source else role
            order[place].append(len(shape))
            shape.append(axis_size(part, spec.sizes))
    values = checkpoint.read(name).astype(np.float64).reshape(shape)
    values = values.transpose([axis for place in order.values() for axis in place])
    return values.reshape(*values.shape[:2], -1)
