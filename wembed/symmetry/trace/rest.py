"""The tensors that no layer holds: layers of their own between fixed sites, so that every tensor has a place.

Which axis is written and which is read is not known of them; axes that may be permuted are never taken for taps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wembed.symmetry.axes import Axis, Product, atoms_of, part_atoms, parts_of
from wembed.symmetry.spec import UNIT, Atom, AxisRole, Layer, Site
from wembed.symmetry.trace.carried import Part

Atoms = Mapping[str, Atom]
Axes = tuple[Axis, ...]


@dataclass(frozen=True)
class Rest:
    """Layers and sites of what no other layer holds."""

    layers: list[Layer] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=dict)


def rest_of(atoms: Atoms, tensors: Mapping[str, Axes], layers: Sequence[Layer], sites: Mapping[str, Site]) -> Rest:
    """What is needed beside some layers to hold all tensors.

    Args:
        atoms: name -> atom.
        tensors: name -> axes.
        layers: those that are there.
        sites: those that are there, whose slopes are held too.
    """
    rest = Rest()
    held = {(name, layer.target_part) for layer in layers for name in layer.tensors.values()}
    names = {name for name, _ in held} | {site.slope for site in sites.values()}
    for name, axes in tensors.items():
        if len(axes) == 1:
            parts = [part for part in parts_of(axes[0]) if (name, part) not in held] if name in names else None
            whole = name in {site.slope for site in sites.values()}
            _add_vector(rest, name, axes[0], parts_of(axes[0]) if parts is None else [] if whole else parts)
        elif axes and name not in names:
            _add_dense(rest, name, axes, _roles(atoms, axes))
    return rest


def _path(name: str, part: Part) -> str:
    head, _, last = name.rpartition(".")
    return (head if last == "weight" else name) + ("#" + ".".join(map(str, part)) if part else "")


def _add_vector(rest: Rest, name: str, axis: Axis, parts: Sequence[Part]) -> None:
    for part in parts:
        site = _site(rest, f"{_path(name, part)}.at", part_atoms(axis, part))
        rest.layers.append(Layer(_path(name, part), "vector", site, site, {"vector": name}, target_part=part))


def _add_dense(rest: Rest, name: str, axes: Axes, roles: tuple[AxisRole, ...]) -> None:
    by_role = dict(zip(roles, axes, strict=True))
    shared = [axis for role, axis in zip(roles, axes, strict=True) if role == "batch"]
    batch = [atom for axis in shared for atom in atoms_of(axis) if atom != UNIT]
    for part in parts_of(by_role["target"]):
        target = _site(rest, f"{_path(name, part)}.at", (*batch, *part_atoms(by_role["target"], part)))
        for read in parts_of(by_role["source"]):
            mark = "@" + ".".join(map(str, read)) if read else ""
            path = _path(name, part) + mark
            source = _site(rest, f"{path}.from", (*batch, *part_atoms(by_role["source"], read)))
            tensors = {"weight": name}
            rest.layers.append(Layer(path, "dense", source, target, tensors, roles, target_part=part, source_part=read))


def _roles(atoms: Atoms, axes: Axes) -> tuple[AxisRole, ...]:
    """What each axis is taken for: one as target, one as source; what is free beside them, or a parent, as batch."""
    parents = {atoms[atom].under for axis in axes for atom in atoms_of(axis) if atom in atoms} - {""}
    free = [any(not atoms[atom].frozen for atom in atoms_of(axis)) for axis in axes]
    is_parent = [bool(parents & set(atoms_of(axis))) and parts_of(axis) == [()] for axis in axes]
    order = sorted(range(len(axes)), key=lambda i: (is_parent[i], not free[i], axes[i] == UNIT))
    roles: list[AxisRole] = ["tap"] * len(axes)
    roles[order[0]], roles[order[1]] = "target", "source"
    for i in order[2:]:
        if free[i] and parts_of(axes[i]) == [()]:
            roles[i] = "batch"
    return tuple(roles)


def _site(rest: Rest, name: str, atoms: tuple[str, ...]) -> str:
    axis: Axis = atoms[0] if len(atoms) == 1 else Product(atoms)
    rest.sites.setdefault(name, Site(name, axis, "identity", fixed=True))
    return name
