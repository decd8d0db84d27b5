"""From what the two passes found to a SymmetrySpec: sites and layers get their names, and every tensor its place."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from torch.fx import Node

from wembed.symmetry.axes import Axis, Product, Sum, atoms_of, part_atoms
from wembed.symmetry.spec import (
    SCALE_OF_ACTIVATION,
    Atom,
    AxisRole,
    Layer,
    ScaleClass,
    Site,
    SymmetrySpec,
    common_scale,
)
from wembed.symmetry.spec import UNIT as UNIT_NAME
from wembed.symmetry.trace.carried import UNIT
from wembed.symmetry.trace.flow import Flow, FoundLayer, operator_name
from wembed.symmetry.trace.rest import rest_of
from wembed.symmetry.trace.sites import Ref

_MOVES = frozenset(
    ("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "t", "transpose", "permute", "to", "_to_copy")
)
UNIT_ATOM = Atom(UNIT_NAME, 1, "hidden", "one index")

_Key = tuple[int, int, tuple[str, ...]]  # root, power, atoms


@dataclass
class _Assembly:
    """A spec while it is put together.

    Args:
        flow: what was found.
        tensors: tensor -> axes, those of size 1 named.
        sites: name -> site.
        names: what a site stands for -> its name.
        layers: in data-flow order.
    """

    flow: Flow
    tensors: dict[str, tuple[Axis, ...]]
    sites: dict[str, Site] = field(default_factory=dict)
    names: dict[_Key, str] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)


def assemble(flow: Flow) -> SymmetrySpec:
    """The spec, of tier `traced`."""
    tensors = {name: tuple(map(_named, axes)) for name, axes in flow.traced.tensors.items()}
    assembly = _Assembly(flow, tensors)
    _keep_shared(flow)
    for found in flow.layers:
        _settle(assembly, found)
    for found in flow.layers:
        _add_layer(assembly, found)
    _add_duals(assembly)
    atoms = {**flow.traced.atoms, UNIT_ATOM.name: UNIT_ATOM}
    missing = dict(flow.traced.unknown)
    rest = rest_of(atoms, tensors, assembly.layers, assembly.sites)
    assembly.sites.update(rest.sites)
    atoms = {name: _without_lost_parent(atom, assembly.sites.values()) for name, atom in atoms.items()}
    notes = tuple(f"operator {name} is not known, what it touches is frozen" for name in sorted(missing))
    return SymmetrySpec("traced", atoms, tensors, assembly.sites, (*assembly.layers, *rest.layers), notes=notes)


def _without_lost_parent(atom: Atom, sites: Iterable[Site]) -> Atom:
    """An atom that lies along a site without its parent has one order for all of the parent's indices."""
    held = [set(atoms_of(site.axis)) for site in sites]
    lost = atom.under and any(atom.name in atoms and atom.under not in atoms for atoms in held)
    return replace(atom, under="") if lost else atom


def _keep_shared(flow: Flow) -> None:
    """What is used in several ways, or has several names, keeps its values: its layers say but one of them."""
    for (tensor, *_), ref in flow.places.items():
        if tensor in flow.traced.copies:
            flow.sites.limit(ref, "none")
    shared = flow.traced.copies | {tensor for tensor, count in _uses(flow).items() if count > 1}
    for layer in flow.layers:
        used = shared & set(layer.tensors.values())
        if used and layer.kind != "dense":
            flow.sites.limit(layer.source, "none")
            flow.sites.limit(layer.target, "none")
        if layer.tensors.get("bias") in used or flow.sites.root(layer.source) == flow.sites.root(layer.target):
            flow.sites.skew(layer.source)
            flow.sites.skew(layer.target)


def _uses(flow: Flow) -> Counter[str]:
    """In how many ways each tensor is used: by different operators, or beside different tensors."""
    tensors: dict[Node, str] = {}
    ways: dict[str, set[tuple[object, ...]]] = {}
    for node in flow.traced.graph.nodes:
        if node.op == "placeholder" and node.name in flow.traced.parameters:
            tensors[node] = flow.traced.parameters[node.name]
        elif node.op == "call_function" and operator_name(node) in _MOVES and node.args[0] in tensors:
            tensors[node] = tensors[node.args[0]]
        else:
            used = [(i, tensors[value]) for i, value in enumerate(node.all_input_nodes) if value in tensors]
            for _, tensor in used:
                ways.setdefault(tensor, set()).add((node.target, *used))
    return Counter({tensor: len(found) for tensor, found in ways.items()})


def _named(axis: Axis) -> Axis:
    """An axis whose indices all have names, also those that stand alone in a sum."""
    if isinstance(axis, Sum):
        return Sum(tuple(map(_named, axis.terms)))
    if isinstance(axis, Product) and axis != UNIT:
        return Product(tuple(map(_named, axis.factors)))
    return UNIT_ATOM.name if axis == UNIT else axis


def _settle(assembly: _Assembly, found: FoundLayer) -> None:
    """Vectors can only be scaled by factors that depend on every atom that they lie along."""
    if found.kind in ("gain", "batch_norm", "depthwise"):
        sites = assembly.flow.sites
        for ref in (found.source, found.target):
            if sites.atoms(ref) != _own(assembly, found, "target"):
                sites.limit(ref, "none")


def _own(assembly: _Assembly, found: FoundLayer, end: AxisRole) -> tuple[str, ...]:
    """The atoms of a layer's tensors on one end."""
    name = found.tensors.get("weight") or next(iter(found.tensors.values()))
    axes = assembly.flow.traced.tensors[name]
    if not found.layout:
        wide = [axis for axis in axes if axis != UNIT]
        return part_atoms(wide[-1] if wide else UNIT, found.target_part)
    batch = [atom for role, axis in _roles(found, axes) if role == "batch" for atom in part_atoms(axis, ())]
    part = found.target_part if end == "target" else found.source_part
    inside = [atom for role, axis in _roles(found, axes) if role == end for atom in part_atoms(axis, part)]
    return (*batch, *inside)


def _roles(found: FoundLayer, axes: tuple[Axis, ...]) -> Iterator[tuple[AxisRole, Axis]]:
    return zip(found.layout, axes, strict=True)


def _add_layer(assembly: _Assembly, found: FoundLayer) -> None:
    tensor = found.tensors.get("weight") or next(iter(found.tensors.values()))
    path = _path(tensor, found)
    reads: AxisRole = "source" if "source" in found.layout else "target"
    source = _site(assembly, found, found.source, reads, f"{path}.in")
    target = _site(assembly, found, found.target, "target", f"{path}.out")
    assembly.layers.append(
        Layer(
            path,
            found.kind,
            source,
            target,
            found.tensors,
            found.layout,
            found.eps,
            found.target_part,
            found.source_part,
        )
    )


def _path(tensor: str, found: FoundLayer) -> str:
    head, _, last = tensor.rpartition(".")
    path = head if last == "weight" else tensor
    for mark, part in (("#", found.target_part), ("@", found.source_part)):
        path += mark + ".".join(map(str, part)) if part else ""
    return path


def _site(assembly: _Assembly, found: FoundLayer, ref: Ref, end: AxisRole, name: str) -> str:
    """The name of a site, which is made where it is met first."""
    sites, scale = assembly.flow.sites, assembly.flow.sites.scale(ref)
    own = _own(assembly, found, end)
    everywhere = set(own) | set(_own(assembly, found, "target"))
    atoms = sites.atoms(ref) if scale != "none" else sites.own_atoms(ref)
    if scale == "none" and (not atoms or not set(atoms) <= everywhere or (found.kind != "dense" and atoms != own)):
        atoms = own
    root = sites.root(ref)
    key = (root.site, root.power, atoms)
    if key not in assembly.names:
        while name in assembly.sites:
            name += "'"
        assembly.names[key] = name
        assembly.sites[name] = _made(assembly.flow, ref, name, atoms, written=name.rstrip("'").endswith(".out"))
    return assembly.names[key]


def _made(flow: Flow, ref: Ref, name: str, atoms: tuple[str, ...], written: bool) -> Site:
    activation, scale = _activation(flow, ref), flow.sites.scale(ref)
    axis: Axis = UNIT_ATOM.name if not atoms else atoms[0] if len(atoms) == 1 else Product(atoms)
    fixed = scale == "none" and (not written or SCALE_OF_ACTIVATION[activation] != "none")
    slope = next((tensor for site, tensor in flow.slopes.items() if flow.sites.root(site) == flow.sites.root(ref)), "")
    if flow.traced.tensors.get(slope) != (axis,):
        slope = ""
    return Site(name, axis, activation, slope, fixed, scale)


def _activation(flow: Flow, ref: Ref) -> str:
    """The one word for all that a value passes: an activation that lets through no more than all of them do."""
    passes = flow.sites.passes(ref)
    scale: ScaleClass = "linear"
    for name in passes:
        scale = common_scale(scale, SCALE_OF_ACTIVATION[name])
    heads = {"scores", "attention", "bilinear"} & set(passes)
    fitting = [name for name in passes if SCALE_OF_ACTIVATION[name] == scale]
    if not fitting:
        return "unknown" if passes else "identity"
    side = (
        ref.inverse if fitting[0] == "scores" and not flow.sites.is_key(ref) else ref
    )  # it is the key's bias that counts
    if fitting[0] in heads and (len(heads) > 1 or flow.sites.is_skewed(side)):
        return "bilinear"
    return fitting[0]


def _add_duals(assembly: _Assembly) -> None:
    """The key's side of a product takes the query's factors inverted."""
    sites = assembly.flow.sites
    for (root, power, atoms), name in assembly.names.items():
        other = assembly.names.get((root, -power, atoms))
        is_dual = sites.is_key(Ref(root, power)) or (power < 0 and not sites.is_key(Ref(root, -power)))
        if other and is_dual and sites.scale(Ref(root, power)) != "none":
            site = assembly.sites[name]
            assembly.sites[name] = Site(name, site.axis, site.activation, site.slope, site.fixed, site.limit, other)
