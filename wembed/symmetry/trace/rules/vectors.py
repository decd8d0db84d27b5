"""Parameters that are added to values or multiplied with them: biases, tables of positions, gains."""

from collections.abc import Mapping
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms
from wembed.symmetry.trace.carried import UNIT, Axes, Carried, Cell, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, FoundLayer
from wembed.symmetry.trace.rules.pairs import broadcast, multiplied, summed
from wembed.symmetry.trace.rules.writing import write
from wembed.symmetry.trace.sites import ZERO, Ref


def add_parameter(flow: Flow, node: Node, argument: Node, x: Carried, weight: Weight) -> State:
    """A bias, or a table of positions."""
    axes = flow.axes(node)
    wide = [i for i, axis in enumerate(weight.axes) if axis != UNIT]
    offset = len(axes) - len(weight.axes)
    if len(wide) != 1 or not x.refs:
        return _add_table(flow, node, x, weight, wide)
    place = wide[0]
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        part, ref = cell[place + offset], broadcast(x, axes, cell)
        if ref is None or ref == ZERO:
            ref = flow.sites.new(part_atoms(weight.axes[place], part))
            flow.sites.limit(ref, "none")
        flow.sites.restrict(ref, part_atoms(weight.axes[place], part))
        flow.place(weight, place, part, ref)
        refs[cell] = ref
        _keep_bias(flow, argument, weight, place, part, ref)
    return Carried(axes, refs)


def _keep_bias(flow: Flow, argument: Node, weight: Weight, place: int, part: tuple[int, ...], ref: Ref) -> None:
    """The bias belongs to the layer that wrote the value, or is a layer of its own."""
    stored = weight.parts[place][part]
    if any(weight.tensor in layer.tensors.values() and layer.target_part == stored for layer in flow.layers):
        return
    writer = flow.writers.get(argument, {}).get(part)
    if writer and "bias" not in writer.tensors and writer.target_part == stored and len(argument.users) == 1:
        writer.tensors["bias"] = weight.tensor
    elif flow.sites.own_atoms(ref) == part_atoms(weight.axes[place], part):
        flow.layers.append(FoundLayer("gain", ref, ref, {"bias": weight.tensor}, target_part=stored))
    else:
        flow.sites.limit(ref, "none")


def _add_table(flow: Flow, node: Node, x: Carried, weight: Weight, wide: list[int]) -> State:
    """A table with a row for each position: a layer that reads the positions."""
    axes = flow.axes(node)
    if len(wide) == 2 and x.refs:
        rows, columns = wide
        table = weight.at((rows, columns))
        written = write(flow, Carried((table.axes[0],), {}), 0, table, ("source", "target"), None)
        if columns + len(axes) - len(weight.axes) == len(axes) - 1:
            added = Carried(axes, {cell: written[cell[-1]].target for cell in cells_of(axes)})
            return summed(flow, node, x, added)
    flow.spend(weight)
    return summed(flow, node, x, Carried(weight.axes, {}))


def gain(flow: Flow, node: Node, x: Carried, weight: Weight) -> State:
    """A vector that every position is multiplied with: its own factors make a new site."""
    axes = flow.axes(node)
    wide = [i for i, axis in enumerate(weight.axes) if axis != UNIT]
    if len(wide) != 1:
        flow.spend(weight)
        return multiplied(flow, node, x, Carried(weight.axes, {}))
    place = wide[0] + len(axes) - len(weight.axes)
    refs: dict[Cell, Ref] = {}
    written: dict[tuple[int, ...], FoundLayer] = {}
    for cell in cells_of(axes):
        part = cell[place]
        source = broadcast(x, axes, cell)
        if source is None or source == ZERO:
            source = flow.read(x, place - len(axes) + len(x.axes), part) if _reaches(x, axes, place) else None
        written[part] = vector_layer(flow, "gain", source, {"weight": weight}, wide[0], part)
        refs[cell] = written[part].target
    flow.writers[node] = written
    return Carried(axes, refs)


def _reaches(x: Carried, axes: Axes, place: int) -> bool:
    own = place - len(axes) + len(x.axes)
    return own >= 0 and x.axes[own] != UNIT


def vector_layer(
    flow: Flow, kind: Any, source: Ref | None, weights: Mapping[str, Weight], axis: int, part: tuple[int, ...]
) -> FoundLayer:
    """A layer of vectors that writes a new site, or the site that an earlier use of the same vectors wrote."""
    first = next(iter(weights.values()))
    atoms = part_atoms(first.axes[axis], part)
    if source is None:
        source = flow.sites.new(atoms)
        flow.sites.limit(source, "none")
    flow.sites.restrict(source, atoms)
    flow.sites.limit(source, "real")
    stored = first.parts[axis][part]
    tensors = {role: weight.tensor for role, weight in weights.items()}
    target = flow.sites.new(atoms)
    for layer in flow.layers:
        if not set(tensors.values()) & set(layer.tensors.values()) or layer.target_part != stored:
            continue
        if layer.kind == kind and {role: layer.tensors.get(role) for role in tensors} == tensors:
            flow.sites.join(layer.source, source)
            return layer
        for ref in (layer.source, layer.target, source, target):  # a tensor in two layers keeps its values
            flow.sites.limit(ref, "none")
        for weight in weights.values():
            flow.spend(weight)
        return FoundLayer(kind, source, target, {}, target_part=stored)
    for weight in weights.values():
        flow.place(weight, axis, weight_part(weight, axis, part), target)
    layer = FoundLayer(kind, source, target, tensors, target_part=stored)
    flow.layers.append(layer)
    return layer


def weight_part(weight: Weight, axis: int, part: tuple[int, ...]) -> tuple[int, ...]:
    """The same part, of another vector along the same axis."""
    return part if part in weight.parts[axis] else next(iter(weight.parts[axis]))
