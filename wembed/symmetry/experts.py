"""Mixtures of experts on disk: one matrix for each expert and projection, where a module holds one tensor for all.

A module's `experts.gate_up_proj` [E, 2 I, D] is `experts.0.gate_proj.weight`, `experts.0.up_proj.weight`, ... in a file
(w1 and w3 in Mixtral's). `joined` gives the shapes that the module would have; a spec found with them is rewritten by
`as_stored` into one over the file's tensors: two stacks, of which `stacks` names the members.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from wembed.errors import CheckpointRefusedError
from wembed.symmetry.axes import Axis, Sum, atoms_of
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.spec import Atom, AxisRole, Layer, Site, SymmetrySpec

_MEMBER = re.compile(r"(?P<experts>(?:.+\.)?experts)\.(?P<number>0|[1-9][0-9]{0,5})\.(?P<projection>\w+)\.weight")
# What transformers joins: the projections in a file -> the module's tensors, each a concatenation of some of them.
_JOINED: Mapping[frozenset[str], Mapping[str, tuple[str, ...]]] = {
    frozenset({"gate_proj", "up_proj", "down_proj"}): {
        "gate_up_proj": ("gate_proj", "up_proj"),
        "down_proj": ("down_proj",),
    },
    frozenset({"w1", "w2", "w3"}): {"gate_up_proj": ("w1", "w3"), "down_proj": ("w2",)},
    frozenset({"up_proj", "down_proj"}): {"up_proj": ("up_proj",), "down_proj": ("down_proj",)},
}
_ENDS = (("in", 2), ("out", 1))  # of a stack [E, out, in]
_UNSPLIT = "which of its indices belong to which of the file's tensors is not known"


@dataclass(frozen=True)
class Stack:
    """One projection of all experts.

    Args:
        name: what a spec calls it, the members' name with a star for the number.
        members: their names in the file, by number.
        shape: of each member, [out, in].
    """

    name: str
    members: tuple[str, ...]
    shape: tuple[int, ...]


def joined(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The shapes of a file as a module has them: experts in one tensor, everything else as it is."""
    found = _stacks(shapes)
    members = {member for stacks in found.values() for stack in stacks for member in stack.members}
    kept = {name: shape for name, shape in shapes.items() if name not in members}
    return kept | {name: _joined_shape(stacks) for name, stacks in found.items()}


def as_stored(spec: SymmetrySpec, shapes: Shapes) -> SymmetrySpec:
    """A spec over joined tensors, written for the file that they came from.

    Args:
        spec: a spec of tensors as in `joined(shapes)`.
        shapes: those of the file.
    """
    for name, stacks in _stacks(shapes).items():
        if name in spec.tensors:
            spec = _split(spec, name, stacks)
    return spec


def _stacks(shapes: Shapes) -> dict[str, tuple[Stack, ...]]:
    """Joined tensor -> the projections that it is the concatenation of, where all experts have them and are alike."""
    found: dict[str, tuple[Stack, ...]] = {}
    for experts, projections in _projections(shapes).items():
        stacks = {name: _stack(experts, name, members, shapes) for name, members in projections.items()}
        whole = {name: stack for name, stack in stacks.items() if stack}
        if len(whole) == len(stacks) and len({len(stack.members) for stack in whole.values()}) == 1:
            for name, parts in _JOINED.get(frozenset(projections), {}).items():
                found[f"{experts}.{name}"] = tuple(whole[part] for part in parts)
    alike = {name: stacks for name, stacks in found.items() if len({stack.shape for stack in stacks}) == 1}
    return {name: stacks for name, stacks in alike.items() if name not in shapes}


def _projections(shapes: Shapes) -> dict[str, dict[str, dict[int, str]]]:
    """Path of the experts -> projection -> number -> the tensor's name."""
    found: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in shapes:
        match = _MEMBER.fullmatch(name)
        if match:
            found[match["experts"]][match["projection"]][int(match["number"])] = name
    return found


def _stack(experts: str, projection: str, members: Mapping[int, str], shapes: Shapes) -> Stack | None:
    """A stack, if its numbers leave no gap and its members are matrices of one shape."""
    names = tuple(members[number] for number in sorted(members))
    found = {shapes[name] for name in names}
    if max(members) != len(members) - 1 or len(found) > 1 or len(shapes[names[0]]) != 2:
        return None
    return Stack(f"{experts}.*.{projection}.weight", names, found.pop())


def _joined_shape(stacks: tuple[Stack, ...]) -> tuple[int, ...]:
    targets, sources = stacks[0].shape
    return (len(stacks[0].members), len(stacks) * targets, sources)


def _split(spec: SymmetrySpec, name: str, stacks: tuple[Stack, ...]) -> SymmetrySpec:
    """A spec with one tensor taken apart into stacks along its second axis."""
    axes = spec.tensors[name]
    found = tuple(spec.size_of(axis) for axis in axes)
    if found != _joined_shape(stacks):
        member, shape = stacks[0].members[0], list(stacks[0].shape)
        message = f"tensor {member} has shape {shape}, one of {len(stacks[0].members)}"
        raise CheckpointRefusedError(f"{message}; the architecture has {name} of shape {list(found)}")
    expert, whole, source = axes
    if len(stacks) == 1:
        return _with_terms(spec, name, stacks, [(expert, whole, source)])
    if isinstance(whole, Sum) and len(whole.terms) == len(stacks):
        return _with_terms(spec, name, stacks, [(expert, term, source) for term in whole.terms])
    return _with_rest(spec, name, stacks)


def _with_terms(
    spec: SymmetrySpec, name: str, stacks: tuple[Stack, ...], terms: list[tuple[Axis, ...]]
) -> SymmetrySpec:
    """A spec with stacks instead of a tensor, each along its term of the concatenation."""
    parts = {stack.name: axes for stack, axes in zip(stacks, terms, strict=True)}
    tensors: dict[str, tuple[Axis, ...]] = {}
    for tensor, axes in spec.tensors.items():
        tensors |= parts if tensor == name else {tensor: axes}
    layers = tuple(_renamed(layer, name, stacks) for layer in spec.layers)
    members = {stack.name: stack.members for stack in stacks}
    return replace(spec, tensors=tensors, layers=layers, stacks=dict(spec.stacks) | members)


def _renamed(layer: Layer, name: str, stacks: tuple[Stack, ...]) -> Layer:
    """A layer that reads the stack that its part of a tensor became."""
    if name not in layer.tensors.values():
        return layer
    reads = layer.layout[1] == "source"  # the concatenation is of what the layer reads
    part = layer.source_part if reads else layer.target_part
    place, rest = (part[0], part[1:]) if len(stacks) > 1 else (0, part)
    tensors = {role: stacks[place].name if tensor == name else tensor for role, tensor in layer.tensors.items()}
    if reads:
        return replace(layer, tensors=tensors, source_part=rest)
    return replace(layer, tensors=tensors, target_part=rest)


def _with_rest(spec: SymmetrySpec, name: str, stacks: tuple[Stack, ...]) -> SymmetrySpec:
    """A spec in which nothing is claimed along the axes of a tensor any more, nor of the stacks that it becomes."""
    atoms, sites = dict(spec.atoms), dict(spec.sites)
    for atom in {atom for axis in spec.tensors[name] for atom in atoms_of(axis)}:
        atoms[atom] = replace(atoms[atom], frozen=atoms[atom].frozen or _UNSPLIT)
    for layer in spec.layers:
        if name in layer.tensors.values():
            sites |= {end: replace(sites[end], fixed=True) for end in (layer.source, layer.target)}
    layers = [layer for layer in spec.layers if name not in layer.tensors.values()]
    tensors = {tensor: axes for tensor, axes in spec.tensors.items() if tensor != name}
    for stack in stacks:
        sizes = (len(stack.members), *stack.shape)
        added = [Atom(f"{stack.name}.{axis}", size, "hidden", _UNSPLIT) for axis, size in enumerate(sizes)]
        atoms |= {atom.name: atom for atom in added}
        tensors[stack.name] = tuple(atom.name for atom in added)
        source, target = (Site(f"{stack.name}.{end}", added[axis].name, fixed=True) for end, axis in _ENDS)
        sites |= {source.name: source, target.name: target}
        layout: tuple[AxisRole, ...] = ("batch", "target", "source")
        layers.append(Layer(stack.name, "dense", source.name, target.name, {"weight": stack.name}, layout))
    members = {stack.name: stack.members for stack in stacks}
    return replace(
        spec,
        atoms=atoms,
        tensors=tensors,
        sites=sites,
        layers=tuple(layers),
        stacks=dict(spec.stacks) | members,
        notes=(*spec.notes, f"{name}: {_UNSPLIT}"),
    )
