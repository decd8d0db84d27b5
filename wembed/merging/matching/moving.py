"""Two networks in; how alike one's units are to the other's, while steps move the second, out.

The first network's units are laid out once. Of the second only what a step touches is moved; of one that is too large
to be held, each tensor is read anew and moved by all steps at once, so that memory is that of a few tensors.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wembed.merging.matching.assign import Matrix, Products, Step
from wembed.merging.matching.groups import Group, Place, around, compared
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec, apply_action, compose
from wembed.symmetry.action.shuffle import shuffled

_HELD = 1 << 25  # entries of a network that is held in memory
_BLOCK = 1 << 24  # entries of a large network's units that are multiplied at once

Rows = NDArray[np.floating]


class Fixed:
    """The network that stays.

    Args:
        tensors: of the spec, in common scales.
        spec: its symmetries.
    """

    def __init__(self, tensors: Tensors, spec: SymmetrySpec) -> None:
        self.spec, self.tensors, self.names = spec, tensors, compared(spec)
        self.is_held = is_held(spec)
        self._lengths: dict[str, NDArray[np.float64]] = {}
        self._units: dict[tuple[str, int, str], dict[int, Rows]] = {}

    def units(self, atom: str, place: Place) -> Mapping[int, Rows]:
        """Set of signs -> the atom's units there, over all that changes with that set, [n, m]."""
        key = place.tensor, place.axis, atom
        if key in self._units:
            return self._units[key]
        found = units_of(self.tensors[place.tensor], place)
        if self.is_held:
            self._units[key] = found
        return found

    def lengths(self, group: Group) -> NDArray[np.float64]:
        """The squared lengths of an atom's units, [n]; no order and no sign changes them."""
        if group.atom not in self._lengths:
            rows = [own for place in group.places for own in self.units(group.atom, place).values()]
            self._lengths[group.atom] = np.sum([np.square(own).sum(1) for own in rows], axis=0)
        return self._lengths[group.atom]

    def square(self) -> float:
        """The network's squared length over what is compared."""
        return sum(float(np.square(self.tensors[name]).sum(dtype=np.float64)) for name in self.names)


class Moving:
    """The network that moves.

    Args:
        tensors: as they are before any step.
        spec: their symmetries.
        action: what is done to them first.
    """

    def __init__(self, tensors: Tensors, spec: SymmetrySpec, action: Action | None = None) -> None:
        self.spec, self._tensors = spec, tensors
        self.action = action or Action({}, {})
        self._moved: dict[str, Rows] = {}
        if is_held(spec):
            whole = acted(self.action, spec, tensors) if self.action.scales else {}
            for name in compared(spec):
                self._moved[name] = whole[name] if whole else one_acted(self.action, spec, tensors, name)

    def copy(self) -> "Moving":
        """The same network, which then goes its own way."""
        other = Moving.__new__(Moving)
        other.spec, other._tensors, other.action, other._moved = self.spec, self._tensors, self.action, {**self._moved}
        return other

    def become(self, other: "Moving") -> None:
        """Go where another copy of the same network is."""
        self.action, self._moved = other.action, other._moved

    def tensor(self, name: str) -> Rows:
        """A tensor as the steps have left it."""
        return self._moved[name] if name in self._moved else one_acted(self.action, self.spec, self._tensors, name)

    def distance(self, fixed: Fixed) -> float:
        """The squared distance to another network over what is compared."""
        total = 0.0
        for name in fixed.names:
            apart = np.ravel(fixed.tensors[name] - self.tensor(name))
            total += float(apart @ apart)
        return total

    def take(self, group: Group, step: Step) -> None:
        """Permute an atom's units and turn their signs."""
        self.action = _followed(self.action, group, step, self.spec)
        for place in group.places if self._moved else ():
            values = self._moved[place.tensor]
            self._moved[place.tensor] = _turned(values, place, step).take(_order(place, step.index, values), place.axis)

    def take_apart(self, names: frozenset[str], action: Action) -> None:
        """Permute atoms, each below another differently for each of that one's units, in the tensors named."""
        self.action = compose(action, self.action, self.spec)
        for name in names if self._moved else ():
            self._moved[name] = one_acted(action, self.spec, self._moved, name)


def is_held(spec: SymmetrySpec) -> bool:
    """Whether a network is small enough to be held in memory while it is matched."""
    return entries(spec) <= _HELD


def entries(spec: SymmetrySpec) -> int:
    """The number of entries of all tensors."""
    return sum(int(np.prod([spec.size_of(axis) for axis in axes], dtype=np.int64)) for axes in spec.tensors.values())


def inner(fixed: Fixed, moving: Moving, names: Sequence[str] | frozenset[str]) -> float:
    """The inner product of two networks over some tensors."""
    return sum(float(np.vdot(fixed.tensors[name], moving.tensor(name))) for name in names)


def products(fixed: Fixed, moving: Moving, group: Group, places: Sequence[Place]) -> Products:
    """Set of signs -> the inner products [n, n] of the two networks' units, over all that is not the atom."""
    size = fixed.spec.sizes[group.atom]
    found: dict[int, Matrix] = defaultdict(lambda: np.zeros((size, size)))
    for place in places:
        own, other = fixed.units(group.atom, place), units_of(moving.tensor(place.tensor), place)
        for kind, rows in own.items():
            _add_product(found[kind], rows, other[kind])
    return found or {0: np.zeros((size, size))}


def _add_product(total: Matrix, rows: Rows, others: Rows) -> None:
    """Add an inner product over columns, of large ones a block at a time."""
    width = max(1, _BLOCK // max(1, len(rows)))
    for start in range(0, rows.shape[1], width):
        total += rows[:, start : start + width] @ others[:, start : start + width].T


def units_of(values: Rows, place: Place) -> dict[int, Rows]:
    """Set of signs -> an atom's units along one axis of a tensor, over all that changes with that set, [n, m]."""
    size = len(place.positions)
    moved = values.T if values.ndim == 2 and place.axis == 1 else np.moveaxis(values, place.axis, 0)
    if len(place.kinds) == 1 and _is_whole(place, moved):
        return {place.kinds[0]: moved.reshape(size, -1)}
    return {kind: moved[place.positions[:, place.turns == kind]].reshape(size, -1) for kind in place.kinds}


def one_acted(action: Action, spec: SymmetrySpec, tensors: Mapping[str, NDArray[np.generic]], name: str) -> Rows:
    """One tensor after an action; no other is read."""
    values = tensors[name]
    if action.scales:
        _, moved = next(apply_action(action, around(spec, name), tensors.__getitem__))
        return np.asarray(moved, dtype=values.dtype)
    return np.asarray(shuffled(values, spec.tensors[name], action.permutations, spec))


def _followed(action: Action, group: Group, step: Step, spec: SymmetrySpec) -> Action:
    """An action, then a step."""
    before = action.permutations.get(group.atom)
    if step.flips is not None or group.below or (before is not None and before.ndim > 1):
        return compose(step.action(group), action, spec)
    index = step.index if before is None else before[step.index]
    return replace(action, permutations={**action.permutations, group.atom: index})


def _is_whole(place: Place, moved: Rows) -> bool:
    """Whether an axis holds nothing but an atom, once."""
    return place.positions.shape[1] == 1 and len(place.positions) == len(moved)


def _order(place: Place, index: NDArray[np.intp], values: Rows) -> NDArray[np.intp]:
    if place.positions.shape[1] == 1 and len(index) == values.shape[place.axis]:
        return index
    order = np.arange(values.shape[place.axis])
    order[place.positions] = place.positions[index]
    return order


def _turned(values: Rows, place: Place, step: Step) -> Rows:
    """Values with the signs of some units turned."""
    if step.flips is None or not step.flips.any() or not place.turns.any():
        return values
    both = step.flips[:, None] & place.turns  # [n, m]
    signs = np.ones(values.shape[place.axis], dtype=values.dtype)
    signs[place.positions] = 1 - 2 * (np.bitwise_count(both) & 1).astype(values.dtype)
    shape = [-1 if number == place.axis else 1 for number in range(values.ndim)]
    return values * signs.reshape(shape)
