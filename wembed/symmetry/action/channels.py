"""A site's channels as layers see them: a key head that several queries share stands there once for each of them.

A site's factors depend on its own atoms; some layers read or write it along more (the repeated key heads of grouped
queries). The graph takes the widest of these, and what is narrower is repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.cells import Cell, Side
from wembed.symmetry.axes import Axis, Product, atoms_of
from wembed.symmetry.spec import SymmetrySpec

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Channels:
    """The channels of a site.

    Args:
        axis: what they lie along: the site's own axis, or one with more atoms.
        atoms: the atoms of that axis.
        shape: their sizes.
        own: where the site's own atoms stand among them, in the site's order.
        index: for each channel its number by the site's own atoms, [N].
    """

    axis: Axis
    atoms: tuple[str, ...]
    shape: tuple[int, ...]
    own: tuple[int, ...]
    index: NDArray[np.intp]

    @classmethod
    def along(cls, axis: Axis, wide: tuple[str, ...], sizes: Mapping[str, int]) -> "Channels":
        """The channels along some atoms of a site whose own axis is given."""
        atoms = tuple(atoms_of(axis))
        own = tuple(wide.index(atom) for atom in atoms)
        shape = tuple(sizes[atom] for atom in wide)
        grid = np.indices(shape)
        numbers = np.zeros(shape, dtype=np.intp)
        for place in own:
            numbers = numbers * shape[place] + grid[place]
        return cls(axis if wide == atoms else Product(wide), wide, shape, own, numbers.reshape(-1))

    @property
    def size(self) -> int:
        """Their number."""
        return len(self.index)

    @property
    def is_repeated(self) -> bool:
        """Whether there are more of them than the site has of its own."""
        return len(self.own) < len(self.atoms)

    def spread(self, values: Vector) -> Vector:
        """Values of the site's own channels, for each channel."""
        return values[self.index] if self.is_repeated else values

    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [N, ...] of channels added up by the site's own."""
        if not self.is_repeated:
            return values
        summed: NDArray[np.float64] = self.grouped(values).sum(2)
        return summed.reshape(-1, *values.shape[1:])

    def grouped(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [N, ...] as [P, d, repeats, ...]: the site's own atoms, of which d is the last, then the others."""
        rest = [place for place in range(len(self.shape)) if place not in self.own]
        parted = values.reshape(*self.shape, *values.shape[1:])
        tail = list(range(len(self.shape), parted.ndim))
        moved = parted.transpose([*self.own, *rest, *tail])
        last = self.shape[self.own[-1]]
        count = int(np.prod([self.shape[place] for place in self.own[:-1]], dtype=np.int64))
        repeats = int(np.prod([self.shape[place] for place in rest], dtype=np.int64))
        return moved.reshape(count, last, repeats, *values.shape[1:])


def channels_of(spec: SymmetrySpec) -> dict[str, Channels]:
    """The channels of every site."""
    wide = {site.name: tuple(atoms_of(site.axis)) for site in spec.sites.values()}
    for layer in spec.layers:
        if layer.kind == "dense":
            cell = Cell.of(spec, layer, "weight")
            ends: tuple[tuple[str, Side], ...] = ((layer.target, "target"), (layer.source, "source"))
            for site, side in ends:
                wide[site] = _joined(wide[site], _seen(spec, cell, wide[site], side))
    return {name: Channels.along(spec.sites[name].axis, atoms, spec.sizes) for name, atoms in wide.items()}


def _seen(spec: SymmetrySpec, cell: Cell, own: tuple[str, ...], side: Side) -> tuple[str, ...]:
    """The atoms by which a layer sees a site: its own, and what stands beside them and is no grid of pixels."""
    found = []
    for atom, role in zip(cell.atoms, cell.roles, strict=True):
        is_beside = role == side and spec.atoms[atom].kind != "spatial" and spec.sizes[atom] > 1
        if (atom in own or is_beside) and atom not in found:
            found.append(atom)
    return tuple(found)


def _joined(own: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    """All atoms of two rows, in the order of the longer."""
    if set(seen) <= set(own):
        return own
    return seen + tuple(atom for atom in own if atom not in seen)
