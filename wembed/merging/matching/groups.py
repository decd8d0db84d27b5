"""A spec in; its free atoms, and for each where it stands and which of its units' signs are open, out.

An atom stands in a tensor along an axis, perhaps inside a product (a head's dimensions) and perhaps several times (the
gates of a recurrent weight). A sign that may be turned goes through one site or, where norms stand between, through
several at once, so that no norm's gain is turned.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry import SymmetrySpec
from wembed.symmetry.action.cells import Cell, Side
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import Axis, atoms_of, part_atoms, parts_of, spread
from wembed.symmetry.spec import AxisRole, Layer

SIGNED = ("sign", "real", "linear", "rotary")  # classes of sites whose signs are open

_STATISTICS = ("running_mean", "running_var")  # of the data, not of the function that was learned
_BETWEEN = ("batch_norm", "gain")  # layers that read and write the same channels
_TARGET: AxisRole = "target"
_MOST_SIGNS = 4  # sets of sites along one atom whose signs are told apart


@dataclass(frozen=True)
class Place:
    """Where an atom stands along an axis of a tensor.

    Args:
        tensor: its name.
        axis: its number.
        positions: of the atom's units along it, [n, m].
        others: the free atoms that the tensor's axes hold beside it.
        turns: for each of the m the set of signs that it changes with, as bits, [m].
    """

    tensor: str
    axis: int
    positions: NDArray[np.intp]
    others: frozenset[str]
    turns: NDArray[np.intp]

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """The sets of signs that there are, as bits."""
        return tuple(np.unique(self.turns).tolist())


@dataclass(frozen=True)
class Group:
    """A free atom.

    Args:
        atom: its name.
        places: where it stands.
        signs: for each sign of a unit that is open the sites that a change of it goes through.
        below: the free atoms that may be permuted differently for each of its units.
    """

    atom: str
    places: tuple[Place, ...]
    signs: tuple[tuple[str, ...], ...]
    below: tuple[str, ...] = ()

    @cached_property
    def tensors(self) -> frozenset[str]:
        """The tensors that it stands in."""
        return frozenset(place.tensor for place in self.places)

    @cached_property
    def stands_twice(self) -> bool:
        """Whether some tensor holds it on two axes, so that no assignment tells what a step gains."""
        return len(self.tensors) < len(self.places)

    @cached_property
    def near(self) -> frozenset[str]:
        """The atoms whose assignments its own depends on."""
        others = frozenset(other for place in self.places for other in place.others)
        return others | {self.atom} if self.stands_twice else others


@dataclass(frozen=True)
class _BySpec:
    """A spec that is equal to another of the same hash."""

    spec: SymmetrySpec

    def __hash__(self) -> int:
        return hash(self.spec.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BySpec) and self.spec.hash == other.spec.hash


def free_groups(spec: SymmetrySpec) -> list[Group]:
    """The atoms of a spec that may be permuted, in its order."""
    return list(_free_groups(_BySpec(spec)))


@lru_cache(maxsize=32)
def _free_groups(key: _BySpec) -> tuple[Group, ...]:
    spec = key.spec
    names = {atom for name in compared(spec) for axis in spec.tensors[name] for atom in atoms_of(axis)}
    return tuple(_group(spec, atom.name) for atom in spec.atoms.values() if not atom.frozen and atom.name in names)


def is_chain(spec: SymmetrySpec) -> bool:
    """Whether one layer after the other writes an atom of its own, with no stream, no heads and no recurrence."""
    written = Counter(atom for layer in spec.layers if layer.kind == "dense" for atom in _targets(spec, layer))
    plain = all(layer.kind not in ("depthwise", "vector") for layer in spec.layers)
    return plain and max(written.values(), default=0) == 1 and not any(g.stands_twice for g in free_groups(spec))


def _targets(spec: SymmetrySpec, layer: Layer) -> list[str]:
    return [atom for atom in atoms_of(spec.sites[layer.target].axis) if not spec.atoms[atom].frozen]


def compared(spec: SymmetrySpec) -> list[str]:
    """The tensors that matching compares: all but running statistics."""
    left_out = {layer.tensors[role] for layer in spec.layers for role in _STATISTICS if role in layer.tensors}
    return [name for name in spec.tensors if name not in left_out]


def positions_of(axis: Axis, atom: str, sizes: Mapping[str, int]) -> NDArray[np.intp]:
    """Where along an axis each index of one of its atoms stands, [n, m]."""
    marks = spread(axis, atom, np.arange(2.0, sizes[atom] + 2.0), sizes)  # 1 where the atom is not
    order = np.argsort(marks, kind="stable")
    return order[int((marks == 1.0).sum()) :].reshape(sizes[atom], -1)


def pair_positions(axis: Axis, atoms: tuple[str, str], sizes: Mapping[str, int]) -> NDArray[np.intp]:
    """Where along an axis each index of one atom beside each of another stands, [n, k, m]."""
    one, other = (spread(axis, atom, np.arange(2.0, sizes[atom] + 2.0), sizes) for atom in atoms)
    index = np.flatnonzero((one > 1) & (other > 1))
    order = index[np.lexsort((index, other[index], one[index]))]
    return order.reshape(sizes[atoms[0]], sizes[atoms[1]], -1)


def _group(spec: SymmetrySpec, atom: str) -> Group:
    signs = _open_signs(spec, atom)
    turned = [turned_along(spec, atom, sites) for sites in signs]
    places = []
    for name in compared(spec):
        axes = spec.tensors[name]
        free = {part for axis in axes for part in atoms_of(axis) if not spec.atoms[part].frozen}
        for number, axis in enumerate(axes):
            if atom in atoms_of(axis):
                positions = positions_of(axis, atom, spec.sizes)
                turns = np.zeros(positions.shape[1], dtype=np.intp)
                for bit, flips in enumerate(turned):
                    if (name, number) in flips and len(positions):
                        turns |= flips[name, number][positions[0]].astype(np.intp) << bit
                places.append(Place(name, number, positions, frozenset(free - {atom}), turns))
    below = tuple(a.name for a in spec.atoms.values() if a.under == atom and not a.frozen)
    return Group(atom, tuple(places), signs, below)


def _open_signs(spec: SymmetrySpec, atom: str) -> tuple[tuple[str, ...], ...]:
    """The sites along an atom whose signs may be turned, those between which a norm stands together."""
    sides = Sides.of(spec)
    joined = {site.name: {site.name} for site in spec.sites.values() if site.axis == atom and not site.dual}
    for layer in spec.layers:
        if layer.kind in _BETWEEN and layer.source in joined and layer.target in joined:
            both = joined[layer.source] | joined[layer.target]
            joined |= dict.fromkeys(both, both)
    found = dict.fromkeys(tuple(sorted(sites)) for sites in joined.values())
    open_ones = [sites for sites in found if all(sides.scale(site) in ("sign", "real") for site in sites)]
    return tuple(open_ones[:_MOST_SIGNS])


def turned_along(spec: SymmetrySpec, atom: str, sites: Sequence[str]) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Tensor and axis -> for each index along it whether it changes when an atom's units turn their signs at sites."""
    names = {site.name for site in spec.sites.values() if site.name in sites or site.dual in sites}
    found: dict[tuple[str, int], NDArray[np.bool_]] = {}
    for layer in spec.layers:
        own: dict[tuple[str, int], NDArray[np.bool_]] = {}
        for role, side in _turned_roles(layer, names):
            number, index = _along(spec, layer, role, atom, side)
            size = spec.size_of(spec.tensors[layer.tensors[role]][number])
            own.setdefault((layer.tensors[role], number), np.zeros(size, dtype=np.bool_))[index] ^= True
        for place, flips in own.items():
            found[place] = found.get(place, False) | flips  # the gates of one weight are a layer each
    return found


def _turned_roles(layer: Layer, sites: set[str]) -> list[tuple[str, Side]]:
    """The tensors of a layer that a change of signs at sites goes through, and on which side."""
    found: dict[Side, tuple[str, ...]] = defaultdict(tuple)
    if layer.kind != "vector":
        found["target"] = ("weight", "bias") if layer.target in sites else ()
        found["source"] = ("weight", "running_mean") if layer.source in sites else ()
    return [(role, side) for side, roles in found.items() for role in roles if role in layer.tensors]


def _along(spec: SymmetrySpec, layer: Layer, role: str, atom: str, side: Side) -> tuple[int, NDArray[np.intp]]:
    """The axis of a tensor on which a layer holds an atom, and where along it."""
    cell = Cell.of(spec, layer, role)
    place = cell.place(atom, side)
    if place is None:
        raise ValueError(f"{atom} stands nowhere in {' x '.join(cell.atoms)}")
    axes = spec.tensors[layer.tensors[role]]
    is_weight = layer.kind in ("dense", "depthwise") and role == "weight"
    roles: tuple[AxisRole, ...] = layer.layout if is_weight else (_TARGET,) * len(axes)
    part_of: dict[AxisRole, tuple[int, ...]] = {"target": layer.target_part, "source": layer.source_part}
    parts = [() if parts_of(axis) == [()] else part_of.get(own, ()) for axis, own in zip(axes, roles, strict=True)]
    ends = np.cumsum([len(part_atoms(axis, part)) for axis, part in zip(axes, parts, strict=True)])
    number = int(np.searchsorted(ends, place, side="right"))
    whole = np.arange(spec.size_of(axes[number]), dtype=np.intp)
    return number, whole if cell.index is None else cell.index[number]


def around(spec: SymmetrySpec, name: str) -> SymmetrySpec:
    """The part of a spec that says what an action does to one tensor, which is its first."""
    return _around(_BySpec(spec), name)


@lru_cache(maxsize=4096)
def _around(key: _BySpec, name: str) -> SymmetrySpec:
    spec = key.spec
    layers = tuple(layer for layer in spec.layers if name in layer.tensors.values())
    ends = {site for layer in layers for site in (layer.source, layer.target)}
    ends |= {spec.sites[site].dual for site in ends} - {""}
    sites = {site: spec.sites[site] for site in ends}
    names = [name, *(n for layer in layers for n in layer.tensors.values()), *(site.slope for site in sites.values())]
    tensors = {own: spec.tensors[own] for own in names if own}
    return replace(spec, layers=layers, sites=sites, tensors=tensors, stacks={}, notes=())
