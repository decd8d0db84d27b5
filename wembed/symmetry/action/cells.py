"""Cells: the part of a tensor that a layer stands for, with one axis for each atom.

A fused weight is several layers' weight, a reshape hides atoms inside an axis; here both are undone, so that what acts
along a site's atoms finds them by name, whatever the layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.axes import part_atoms, part_index, parts_of
from wembed.symmetry.spec import AxisRole, Layer, SymmetrySpec

Side = Literal["target", "source"]
Number = TypeVar("Number", bound=np.generic)

_TARGET: AxisRole = "target"

# Where a site's atoms may stand: the groups of a grouped convolution are on the target's axis only.
_ROLES: Mapping[Side, tuple[AxisRole, ...]] = {"target": ("target", "batch"), "source": ("source", "batch", "target")}


@dataclass(frozen=True)
class Cell:
    """A part of a tensor.

    Args:
        atoms: the atoms of its axes, in order.
        roles: for each of them what it is to the layer.
        shape: their sizes.
        index: for each axis of the tensor where the part stands along it; None for the whole tensor.
    """

    atoms: tuple[str, ...]
    roles: tuple[AxisRole, ...]
    shape: tuple[int, ...]
    index: tuple[NDArray[np.intp], ...] | None

    @classmethod
    def of(cls, spec: SymmetrySpec, layer: Layer, role: str) -> "Cell":
        """What a layer uses in a role."""
        axes = spec.tensors[layer.tensors[role]]
        is_weight = layer.kind in ("dense", "depthwise") and role == "weight"
        roles: tuple[AxisRole, ...] = layer.layout if is_weight else (_TARGET,) * len(axes)
        part_of: dict[AxisRole, tuple[int, ...]] = {"target": layer.target_part, "source": layer.source_part}
        parts = [() if parts_of(axis) == [()] else part_of.get(r, ()) for axis, r in zip(axes, roles, strict=True)]
        atoms: tuple[str, ...] = ()
        all_roles: tuple[AxisRole, ...] = ()
        for axis, part, axis_role in zip(axes, parts, roles, strict=True):
            own = part_atoms(axis, part)
            atoms += own
            all_roles += (axis_role,) * len(own)
        index = None
        if any(parts):
            index = tuple(part_index(axis, part, spec.sizes) for axis, part in zip(axes, parts, strict=True))
        return cls(atoms, all_roles, tuple(spec.sizes[atom] for atom in atoms), index)

    def take(self, values: NDArray[Number]) -> NDArray[Number]:
        """The part of the tensor's values, one axis for each atom."""
        part = values if self.index is None else values[np.ix_(*self.index)]
        return part.reshape(self.shape)

    def put(self, values: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
        """The tensor with its part replaced; `values` are overwritten."""
        if self.index is None:
            return part.reshape(values.shape)
        values[np.ix_(*self.index)] = part.reshape([len(index) for index in self.index])
        return values

    def place(self, atom: str, side: Side) -> int | None:
        """The axis on which an atom of the site on that side stands, if it does."""
        for role in _ROLES[side]:
            for number, found in enumerate(zip(self.atoms, self.roles, strict=True)):
                if found == (atom, role):
                    return number
        return None

    def places(self, atoms: tuple[str, ...], side: Side) -> tuple[int, ...]:
        """The axes of all atoms of a site.

        Raises:
            ValueError: one is not there.
        """
        found = [self.place(atom, side) for atom in atoms]
        if None in found:
            raise ValueError(f"{atoms[found.index(None)]} stands nowhere in {' x '.join(self.atoms)}")
        return tuple(number for number in found if number is not None)


def multiplied(
    values: NDArray[np.float64], factors: NDArray[np.float64], places: tuple[int, ...]
) -> NDArray[np.float64]:
    """Values times what a site's factors [N] (or matrices [P, d, d]) make of them.

    Args:
        values: any number of axes.
        factors: one for each index of the axes `places` taken together; or for each index of all but the last of them
            a matrix, which acts along that one.
        places: the axes of the values that the site's atoms stand on, in the site's order.
    """
    if factors.ndim == 3:
        return _mixed(values, factors, places)
    return values * laid_out(factors, values.shape, places)


def laid_out(factors: NDArray[Number], shape: tuple[int, ...], places: tuple[int, ...]) -> NDArray[Number]:
    """Factors [N] along some axes, shaped so that they broadcast over all axes of a shape."""
    order = np.argsort(places)
    shaped = factors.reshape([shape[place] for place in places]).transpose(order)
    return shaped.reshape([size if axis in places else 1 for axis, size in enumerate(shape)])


def _mixed(values: NDArray[np.float64], matrices: NDArray[np.float64], places: tuple[int, ...]) -> NDArray[np.float64]:
    order = [*places, *(axis for axis in range(values.ndim) if axis not in places)]
    moved = values.transpose(order)
    mixed = matrices @ moved.reshape(*matrices.shape[:2], -1)  # [P, d, rest]
    return mixed.reshape(moved.shape).transpose(np.argsort(order))
