"""A family's spec and a file that has a little less or a little more than it: biases that are off, another head."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from wembed.symmetry.axes import atoms_of
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.spec import Atom, AxisRole, Layer, Site, SymmetrySpec

WHY = "no part of the architecture that is known"


def without(spec: SymmetrySpec, missing: Iterable[str], tied: Iterable[tuple[str, ...]] = ()) -> SymmetrySpec:
    """A spec without some tensors; a layer whose weight is another name of one that stays reads that one.

    Args:
        spec: whole.
        missing: names to leave out.
        tied: groups of names that are one tensor.
    """
    gone = set(missing)
    if not gone:
        return spec
    other = {name: kept for group in tied for name in group for kept in group if kept not in gone}
    layers = [layer for layer in (_layer_without(layer, gone, other) for layer in spec.layers) if layer]
    tensors = {name: axes for name, axes in spec.tensors.items() if name not in gone}
    used = {atom for axes in tensors.values() for axis in axes for atom in atoms_of(axis)}
    used |= {atom for site in spec.sites.values() for atom in atoms_of(site.axis)}
    used |= {spec.atoms[name].under for name in used}
    atoms = {name: atom for name, atom in spec.atoms.items() if name in used}
    stacks = {name: members for name, members in spec.stacks.items() if name not in gone}
    return replace(spec, atoms=atoms, tensors=tensors, layers=_once(layers), stacks=stacks)


def _layer_without(layer: Layer, gone: set[str], other: Mapping[str, str]) -> Layer | None:
    tensors = {role: other.get(name, name) if name in gone else name for role, name in layer.tensors.items()}
    left = {role: name for role, name in tensors.items() if name not in gone}
    return replace(layer, tensors=left) if "weight" in left or left == layer.tensors else None


def _once(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers without those whose tensors all stand in one before, as those of a tied head do."""
    kept: list[Layer] = []
    seen: set[tuple[str, tuple[int, ...], tuple[int, ...]]] = set()
    for layer in layers:
        uses = {
            (name, layer.target_part, layer.source_part if role == "weight" else ())
            for role, name in layer.tensors.items()
        }
        if not uses & seen:
            kept.append(layer)
        seen |= uses
    return tuple(kept)


def freeze_rest(spec: SymmetrySpec, shapes: Shapes) -> SymmetrySpec:
    """A spec with some more tensors, each along frozen atoms and between fixed sites of its own."""
    atoms, tensors, sites, layers = dict(spec.atoms), dict(spec.tensors), dict(spec.sites), list(spec.layers)
    for name, shape in shapes.items():
        axes = [Atom(f"{name}.{i}", size, "hidden", WHY) for i, size in enumerate(shape)]
        atoms |= {atom.name: atom for atom in axes}
        tensors[name] = tuple(atom.name for atom in axes)
        if len(axes) == 1:
            sites[name] = Site(name, axes[0].name, fixed=True)
            layers.append(Layer(name, "vector", name, name, {"vector": name}))
        elif axes:
            source, target = f"{name}.in", f"{name}.out"
            sites |= {end: Site(end, axes[i].name, fixed=True) for end, i in ((source, 1), (target, 0))}
            taps: list[AxisRole] = ["tap"] * (len(axes) - 2)
            layers.append(Layer(name, "dense", source, target, {"weight": name}, ("target", "source", *taps)))
    notes = spec.notes + ((f"{len(shapes)} tensors frozen, {WHY}: {next(iter(shapes))}",) if shapes else ())
    return replace(spec, atoms=atoms, tensors=tensors, sites=sites, layers=tuple(layers), notes=notes)
