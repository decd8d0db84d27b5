"""Views of layers: weights as read from the file, seen through factors that are kept beside them.

A view never changes a file and holds no weight: it reads one when asked, whole or in tiles. Where a tensor's layout
allows it, no more of it is read than the tile at hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry.action.cells import Cell, Side, multiplied
from wembed.symmetry.action.channels import Channels
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.canonical_form.boxes import LARGEST, Box, Cutting
from wembed.symmetry.canonical_form.layout import Layout, Real, mixed_along
from wembed.symmetry.canonical_form.stored import StoredWeight
from wembed.symmetry.spec import Layer, SymmetrySpec
from wembed.symmetry.stacks import read_tensor

Vector = NDArray[np.float64]
Matrices = NDArray[np.float64]  # [P, d, d] along a site's last atom
Scales = Mapping[str, Vector]  # site -> factors along it


@dataclass(frozen=True)
class Turn:
    """How two layers that write the halves of a rotary site are turned into each other.

    Args:
        factors: complex, by the site's own channels.
        other: the weight of the other half.
        is_imaginary: whether the view is of the second half.
    """

    factors: NDArray[np.complex128]
    other: StoredWeight
    is_imaginary: bool


@dataclass(frozen=True)
class Tile:
    """A piece of a weight.

    Args:
        targets: which of the targets it is of.
        sources: which of the sources.
        weight: [t, s, K], the caller's.
    """

    targets: slice
    sources: slice
    weight: NDArray[np.float32]


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
        rows: what its targets are.
        columns: what its sources are.
        left: what mixes its targets, before they are scaled.
        right: what mixes its sources.
        turn: what turns its targets.
        stored: the weight that it is a view of.
    """

    name: str
    source: str
    target: str
    up: Vector
    down: Vector
    bias: Vector
    bias_size: Vector
    taps: tuple[int, ...]
    rows: Channels
    columns: Channels
    left: Matrices | None = None
    right: Matrices | None = None
    turn: Turn | None = None
    stored: StoredWeight = field(kw_only=True, repr=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer, channels: Mapping[str, Channels]) -> Self:
        """A dense layer as it is in the file.

        Args:
            checkpoint: the file.
            spec: its symmetries.
            layer: one of its layers.
            channels: of every site.
        """
        rows, columns = channels[layer.target], channels[layer.source]
        bias = np.zeros(rows.size)
        if "bias" in layer.tensors:
            layout = Layout.of(Cell.of(spec, layer, "bias"), rows, None, ())
            read = layout.cell.take(read_tensor(checkpoint, spec, layer.tensors["bias"]))
            bias = layout.laid(read, layout.whole, np.float64)[:, 0, 0]
        stored = StoredWeight(checkpoint, spec, layer, rows, columns)
        return cls(
            layer.name,
            layer.source,
            layer.target,
            up=np.ones(rows.size),
            down=np.ones(columns.size),
            bias=bias,
            bias_size=np.abs(bias),
            taps=tuple(spec.sizes[atom] for atom in stored.taps),
            rows=rows,
            columns=columns,
            stored=stored,
        )

    @property
    def has_kernel(self) -> bool:
        """Whether it is a convolution, whose padding a constant would not pass."""
        return "tap" in self.stored.layer.layout

    def scaled(self, up: Scales, down: Scales) -> Self:
        """With its target channels multiplied by `up` and its source channels by `down`, where these name its sites."""
        view = self
        if self.target in up:
            factors = self.rows.spread(up[self.target])
            sizes = self.bias_size * np.abs(factors)
            view = replace(view, up=self.up * factors, bias=self.bias * factors, bias_size=sizes)
        if self.source in down:
            view = replace(view, down=self.down * self.columns.spread(down[self.source]))
        return view

    def behind(self, norm: "AffineView") -> Self:
        """This and a norm that follows it in one."""
        gain, shift, own = (self.rows.spread(values) for values in (norm.gain, norm.shift, norm.bias))
        bias = self.bias * gain + shift
        return replace(self, target=norm.target, up=self.up * gain, bias=bias, bias_size=np.hypot(own, bias - own))

    def mixed_targets(self, matrices: Matrices) -> Self:
        """With its targets, and its bias, mixed; sizes of its parts mean nothing after that."""
        bias = multiplied(self.bias.reshape(self.rows.shape), matrices, self.rows.own).reshape(-1)
        left = matrices if self.left is None else matrices @ self.left
        return replace(self, bias=bias, bias_size=np.abs(bias), left=left)

    def mixed_sources(self, matrices: Matrices) -> Self:
        """With its sources mixed."""
        return replace(self, right=matrices if self.right is None else matrices @ self.right)

    def turned(self, factors: NDArray[np.complex128], other: "DenseView", is_imaginary: bool) -> Self:
        """With its targets turned into those of the other half."""
        turn = factors if self.turn is None else factors * self.turn.factors
        laid = factors[self.rows.index]
        whole = other.bias + 1j * self.bias if is_imaginary else self.bias + 1j * other.bias
        bias = np.asarray((whole * laid).imag if is_imaginary else (whole * laid).real)
        return replace(self, bias=bias, bias_size=np.abs(bias), turn=Turn(turn, other.stored, is_imaginary))

    def density(self) -> Vector:
        """A [T, S]: the squares of fan_in W, summed over taps and divided by T, S, taps: it adds up to their mean."""
        density = np.zeros((self.rows.size, self.columns.size))
        for box in self.boxes():
            density[box.targets, box.sources] = over_taps(np.square(self.part(box)))
        density *= self.unit**2
        return density

    @property
    def unit(self) -> float:
        """What a weight's entries are multiplied with, so that their squares add up to the mean of (fan_in W)^2."""
        return float(np.sqrt(self.columns.size * self.stored.layout.count / self.rows.size)) if self.rows.size else 0.0

    def weight(self) -> NDArray[np.float64]:
        """The canonical weight [T, S, taps], read from the file now."""
        return self.part(self.stored.layout.whole)

    def tiles(self) -> Iterator[Tile]:
        """The canonical weight in tiles, which together are all of it, each read from the file when it is its turn.

        A tile has about half a million entries at most. It has more where what is mixed (the dimensions of a head, all
        sources of a low rank) does not fit into that, since that must be read as one; and a tensor is read whole for
        each tile where a pickle does not keep its elements in order.
        """
        for box in self.boxes():
            weight = self.part(box).astype(np.float32) if self.stored.is_double else self._read(box, np.float32)
            yield Tile(box.targets, box.sources, weight)

    def boxes(self, held: Side | None = None, times: int = 1) -> Iterator[Box]:
        """What the weight may be read in, in the file's order.

        Args:
            held: a side that no box cuts.
            times: how much larger a box may be than a tile.
        """
        whole, pairs = self.stored.layout.whole, max(1, times * LARGEST // max(1, self.stored.layout.count))
        if whole.size <= pairs:
            return iter((whole,))
        row_end = len(self.rows.shape) if self.left is None else self.rows.own[-1]
        column_end = len(self.columns.shape) if self.right is None else self.columns.own[-1]
        ends = 0 if held == "target" else row_end, 0 if held == "source" else column_end
        return Cutting(self.stored.layout.labels, *ends).boxes(whole, pairs)

    def part(self, box: Box) -> NDArray[np.float64]:
        """A box [t, s, taps] of the canonical weight, read from the file now."""
        return self._read(box, np.float64)

    def _read(self, box: Box, dtype: type[Real]) -> NDArray[Real]:
        weight = self.stored.read(box, dtype)
        if self.turn:
            other = self.turn.other.read(box, dtype)
            factors = self.turn.factors[self.rows.index[box.targets]][:, None, None]
            weight *= factors.real.astype(dtype)
            other *= (factors.imag if self.turn.is_imaginary else -factors.imag).astype(dtype)
            weight += other
        if self.left is not None:
            weight = mixed_along(weight, self.rows, self.left, 0, box.rows)
        if self.right is not None:
            weight = mixed_along(weight, self.columns, self.right, 1, box.columns)
        up, down = self.up[box.targets], self.down[box.sources]
        if (up != 1.0).any():  # most of a large network is not scaled
            weight *= up[:, None, None].astype(dtype)
        if (down != 1.0).any():
            weight *= down[None, :, None].astype(dtype)
        return weight


@dataclass(frozen=True)
class AffineView:
    """What multiplies channel by channel: a norm that is not folded, or a depthwise convolution: y = gain x + shift.

    Args:
        name: the layer's name.
        source: the site that it reads.
        target: the site that it writes.
        gain: [N], of a convolution the sum of its taps.
        shift: [N].
        size: [N], the root mean square of the taps times their number; that of the gain where there is one.
        bias: [N], the part of the shift that the file holds as such.
    """

    name: str
    source: str
    target: str
    gain: Vector
    shift: Vector
    size: Vector
    bias: Vector

    @classmethod
    def of(cls, checkpoint: Checkpoint, spec: SymmetrySpec, norm: Layer) -> Self:
        """A batch norm as it is in the file, with its running statistics.

        Raises:
            CheckpointRefusedError: a variance that is not positive.
        """
        read = {role: _vectors(checkpoint, spec, norm, role)[:, 0] for role in norm.tensors}
        variance = read["running_var"] + norm.eps
        if not (variance > 0).all():
            found = float(read["running_var"].min())
            name = norm.tensors["running_var"]
            raise CheckpointRefusedError(f"{checkpoint.path}: {name} holds {found:g}, expected a variance above 0")
        gain = read["weight"] / np.sqrt(variance)
        shift = read["bias"] - gain * read["running_mean"]
        return cls(norm.name, norm.source, norm.target, gain, shift, np.abs(gain), read["bias"])

    @classmethod
    def of_gain(cls, checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer) -> Self:
        """A gain or a depthwise convolution as it is in the file."""
        size = spec.size_of(spec.sites[layer.target].axis)
        gain, shift, sizes = np.ones(size), np.zeros(size), np.ones(size)
        if "weight" in layer.tensors:
            taps = _vectors(checkpoint, spec, layer, "weight")  # [N, K]
            gain, sizes = taps.sum(1), np.sqrt(np.square(taps).sum(1) * taps.shape[1])
        if "bias" in layer.tensors:
            shift = _vectors(checkpoint, spec, layer, "bias")[:, 0]
        return cls(layer.name, layer.source, layer.target, gain, shift, sizes, shift)

    def scaled(self, up: Scales, down: Scales) -> Self:
        """The same as for a dense layer."""
        factors = up.get(self.target, np.ones(1)) * down.get(self.source, np.ones(1))
        shift = self.shift * up.get(self.target, 1.0)
        return replace(self, gain=self.gain * factors, shift=shift, size=self.size * np.abs(factors))

    def behind(self, norm: "AffineView") -> Self:
        """This and a norm that follows it in one."""
        shift = self.shift * norm.gain + norm.shift
        sizes = self.size * np.abs(norm.gain)
        return replace(self, target=norm.target, gain=self.gain * norm.gain, shift=shift, size=sizes)


@dataclass(frozen=True)
class Flow:
    """The layers of a network.

    Args:
        dense: linear and convolution layers, in data-flow order.
        affine: the norms that are not folded, and depthwise convolutions.
        channels: of every site.
    """

    dense: tuple[DenseView, ...]
    affine: tuple[AffineView, ...]
    channels: Mapping[str, Channels]

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


def over_taps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [T, S, taps] added up to [T, S]."""
    return values[:, :, 0] if values.shape[2] == 1 else np.asarray(values.sum(2))  # a sum of one is slow


def read_vector(checkpoint: Checkpoint, spec: SymmetrySpec, name: str) -> Vector:
    """A tensor's values in one row."""
    return read_tensor(checkpoint, spec, name).astype(np.float64).reshape(-1)


def read_part(checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer, role: str) -> Vector:
    """The values of the part of a tensor that a layer stands for, in one row."""
    values = read_tensor(checkpoint, spec, layer.tensors[role]).astype(np.float64)
    return Cell.of(spec, layer, role).take(values).reshape(-1)


def _vectors(checkpoint: Checkpoint, spec: SymmetrySpec, layer: Layer, role: str) -> NDArray[np.float64]:
    """A tensor of a layer that acts channel by channel, [N, taps]."""
    cell = Cell.of(spec, layer, role)
    atoms = tuple(atoms_of(spec.sites[layer.target].axis))
    values = cell.take(read_tensor(checkpoint, spec, layer.tensors[role]).astype(np.float64))
    places = cell.places(atoms, "target")
    rest = [axis for axis in range(values.ndim) if axis not in places]
    return values.transpose([*places, *rest]).reshape(spec.size_of(spec.sites[layer.target].axis), -1)
