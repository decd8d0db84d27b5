"""Operators that act entry by entry, on one value or on two, and those that reduce, pool or pad along other axes."""

import re
from collections.abc import Mapping
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms
from wembed.symmetry.trace.carried import UNIT, Axes, Carried, Cell, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, FoundLayer, operator_name, unknown
from wembed.symmetry.trace.rules.shape import same
from wembed.symmetry.trace.sites import ZERO, Ref

# Operator -> the activation that it is for its readers. What is none of them lets no factor pass.
ACTIVATIONS: Mapping[str, str] = {
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "tanh": "tanh",
    "sin": "sin",
    "gelu": "gelu",
    "silu": "silu",
    "sigmoid": "sigmoid",
    "elu": "elu",
    "hardswish": "hardswish",
    "hardtanh": "relu6",
}


def activation(flow: Flow, node: Node) -> State:
    """A function of every entry."""
    value = flow.carried(node.args[0])
    for ref in value.refs.values():
        flow.sites.activate(ref, ACTIVATIONS.get(operator_name(node), "unknown"))
    kept = {cell: ref for cell, ref in value.refs.items() if ref != ZERO}
    return Carried(value.axes, kept)


def prelu(flow: Flow, node: Node) -> State:
    """A slope for each channel, or one for all."""
    value, slope = flow.carried(node.args[0]), flow.state(node.args[1])
    if not isinstance(slope, Weight):
        return unknown(flow, node)
    flow.spend(slope)
    for ref in value.refs.values():
        flow.sites.activate(ref, "prelu")
        if ref != ZERO and flow.sites.own_atoms(ref) == part_atoms(slope.axes[0], ()) and slope.axes[0] != UNIT:
            flow.slopes.setdefault(ref, slope.tensor)
    return value


def scaled(flow: Flow, node: Node) -> State:
    """`neg`, `mul` and `div` by a number: linear."""
    state = same(flow, node)
    return Carried(state.axes, state.refs) if isinstance(state, Carried) else unknown(flow, node)


def add(flow: Flow, node: Node) -> State:
    """A sum, of two values or of a value and a parameter."""
    first, second = node.args[0], node.args[1]
    if not isinstance(second, Node) or not isinstance(first, Node):
        number = first if isinstance(second, Node) else second
        argument: Any = second if isinstance(second, Node) else first
        return _passed(flow, argument) if number == 0 else activation_of(flow, argument)
    states = flow.state(first), flow.state(second)
    if isinstance(states[1], Weight) and isinstance(states[0], Carried):
        return _add_parameter(flow, node, first, states[0], states[1])
    if isinstance(states[0], Weight) and isinstance(states[1], Carried):
        return _add_parameter(flow, node, second, states[1], states[0])
    return _sum(flow, node, flow.carried(first), flow.carried(second))


def activation_of(flow: Flow, argument: Node) -> Carried:
    """What an entry-by-entry function that is not known leaves of a value."""
    value = flow.carried(argument)
    for ref in value.refs.values():
        flow.sites.limit(ref, "none")
    return Carried(value.axes, {cell: ref for cell, ref in value.refs.items() if ref != ZERO})


def _passed(flow: Flow, argument: Node) -> Carried:
    value = flow.carried(argument)
    return Carried(value.axes, value.refs)


def _sum(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left, right = broadcast(x, axes, cell), broadcast(y, axes, cell)
        if left is not None and right is not None:
            refs[cell] = flow.sites.join(left, right)
        elif left is not None or right is not None:
            refs[cell] = left if left is not None else right  # type: ignore[assignment]
            if refs[cell] == ZERO:
                del refs[cell]
            else:
                flow.sites.limit(refs[cell], "none")
    return Carried(axes, refs)


def broadcast(value: Carried, axes: Axes, cell: Cell) -> Ref | None:
    """The site of a value in a cell of what it is broadcast to."""
    added = len(axes) - len(value.axes)
    inner = tuple(() if axis == UNIT else part for axis, part in zip(value.axes, cell[added:], strict=True))
    return value.refs.get(inner)


def _add_parameter(flow: Flow, node: Node, argument: Node, x: Carried, weight: Weight) -> State:
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
    from wembed.symmetry.trace.rules.products import write

    axes = flow.axes(node)
    if len(wide) == 2 and x.refs:
        rows, columns = wide
        table = weight.at((rows, columns))
        written = write(flow, Carried((table.axes[0],), {}), 0, table, ("source", "target"), None)
        if columns + len(axes) - len(weight.axes) == len(axes) - 1:
            added = Carried(axes, {cell: written[cell[-1]].target for cell in cells_of(axes)})
            return _sum(flow, node, x, added)
    flow.spend(weight)
    return _sum(flow, node, x, Carried(weight.axes, {}))


def mul(flow: Flow, node: Node) -> State:
    """A product, of two values or of a value and a parameter."""
    first, second = node.args[0], node.args[1]
    if not isinstance(second, Node) or not isinstance(first, Node):
        return _passed(flow, second if isinstance(second, Node) else first)  # type: ignore[arg-type]
    states = flow.state(first), flow.state(second)
    if operator_name(node) == "mul":
        if isinstance(states[1], Weight) and isinstance(states[0], Carried):
            return gain(flow, node, states[0], states[1])
        if isinstance(states[0], Weight) and isinstance(states[1], Carried):
            return gain(flow, node, states[1], states[0])
    else:
        flow.fix(second)  # of a quotient
    return _product(flow, node, flow.carried(first), flow.carried(second))


def gain(flow: Flow, node: Node, x: Carried, weight: Weight) -> State:
    """A vector that every position is multiplied with: its own factors make a new site."""
    axes = flow.axes(node)
    wide = [i for i, axis in enumerate(weight.axes) if axis != UNIT]
    if len(wide) != 1:
        flow.spend(weight)
        return _product(flow, node, x, Carried(weight.axes, {}))
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
    for layer in flow.layers:
        if first.tensor in layer.tensors.values() and layer.target_part == stored:
            flow.sites.join(layer.source, source)
            return layer
    target = flow.sites.new(atoms)
    for weight in weights.values():
        flow.place(weight, axis, weight_part(weight, axis, part), target)
    tensors = {role: weight.tensor for role, weight in weights.items()}
    layer = FoundLayer(kind, source, target, tensors, target_part=stored)
    flow.layers.append(layer)
    return layer


def weight_part(weight: Weight, axis: int, part: tuple[int, ...]) -> tuple[int, ...]:
    """The same part, of another vector along the same axis."""
    return part if part in weight.parts[axis] else next(iter(weight.parts[axis]))


def _product(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """Entries multiplied: at most one side may bring factors, and matrices no longer pass."""
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left, right = broadcast(x, axes, cell), broadcast(y, axes, cell)
        if ZERO in (left, right):
            refs[cell] = ZERO
        elif left is not None or right is not None:
            refs[cell] = _stronger(flow, left, right)
            other = y if refs[cell] == left else x
            _mixes_no_more(flow, refs[cell], other, axes, cell)
    return Carried(axes, refs)


def _stronger(flow: Flow, left: Ref | None, right: Ref | None) -> Ref:
    """The factor whose scale survives; the other's is given up."""
    if left is None or right is None:
        return left if left is not None else right  # type: ignore[return-value]
    sites = flow.sites
    weak_left = sites.scale(left) == "none" or (sites.scale(right) != "none" and bool(sites.passes(left)))
    kept, lost = (right, left) if weak_left else (left, right)
    sites.limit(lost, "none")
    return kept


def _mixes_no_more(flow: Flow, ref: Ref, other: Carried, axes: Axes, cell: Cell) -> None:
    """What is multiplied by something of its own at each place keeps no bias; at each channel, no matrices either."""
    flow.sites.skew(ref)
    added = len(axes) - len(other.axes)
    atoms = {
        atom
        for axis, part in zip(other.axes, cell[added:], strict=True)
        if axis != UNIT
        for atom in part_atoms(axis, part)
    }
    if ref != ZERO and flow.sites.atoms(ref) and flow.sites.atoms(ref)[-1] in atoms:
        flow.sites.limit(ref, "real")


def where(flow: Flow, node: Node) -> State:
    """`where` and `masked_fill`: a factor passes where the other side is zero."""
    values = [argument for argument in node.args if isinstance(argument, Node)]
    numbers = [argument for argument in node.args if isinstance(argument, int | float)]
    value = flow.carried(values[0] if operator_name(node) == "masked_fill" else values[1])
    others = [flow.carried(other) for other in values if flow.state(other) is not value]
    is_zero = all(number == 0 for number in numbers) and all(_is_zero(other) for other in others[1:])
    if any(ref != ZERO for ref in value.refs.values()) and not (is_zero and value.axes == flow.axes(node)):
        return unknown(flow, node)
    for ref in value.refs.values():
        flow.sites.skew(ref)
    for other in others:
        for ref in other.refs.values():
            flow.sites.limit(ref, "none")
    return Carried(flow.axes(node), {c: r for c, r in value.refs.items() if r != ZERO})


def _is_zero(value: Carried) -> bool:
    return bool(value.refs) and all(ref == ZERO for ref in value.refs.values())


def softmax(flow: Flow, node: Node) -> State:
    """Weights that add up to 1 along an axis."""
    value = flow.carried(node.args[0])
    flow.fix(node.args[0])
    return Carried(value.axes, {}, int(node.args[1]) % len(value.axes))  # type: ignore[arg-type]


def reduce(flow: Flow, node: Node) -> State:
    """`mean` and `sum` over some axes: linear, where no site lies along them."""
    value = flow.carried(node.args[0])
    if operator_name(node).startswith("ama") or operator_name(node).startswith("max"):
        for ref in value.refs.values():
            flow.sites.activate(ref, "max_pool")
    rank = len(value.axes)
    given: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    dims = {int(d) % rank for d in ([given] if isinstance(given, int) else given or range(rank))}
    axes = flow.axes(node)
    kept = len(axes) == rank
    refs: dict[Cell, Ref] = {}
    for cell, ref in value.refs.items():
        after = tuple(() if i in dims else part for i, part in enumerate(cell) if kept or i not in dims)
        lost = {atom for i in dims for atom in part_atoms(value.axes[i], cell[i])}
        if ref != ZERO and lost & flow.sites.spread(ref):
            flow.sites.restrict(ref, set(flow.sites.atoms(ref)) - lost - flow.sites.chosen(ref))
        if ref != ZERO and lost & set(flow.sites.own_atoms(ref)):
            flow.sites.limit(ref, "none")
            continue
        refs[after] = flow.sites.join(refs[after], ref) if after in refs else ref
    for ref in refs.values():
        flow.sites.skew(ref)
    return Carried(axes, refs)


def repeated(flow: Flow, node: Node) -> State:
    """`repeat_interleave`, `repeat`: what lies along the repeated axis still does, if pass 1 says so."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    if len(value.axes) != len(axes):
        return unknown(flow, node)
    known = set(cells_of(axes))
    for cell, ref in value.refs.items():
        if cell not in known:
            flow.sites.limit(ref, "none")
    return Carried(axes, {cell: ref for cell, ref in value.refs.items() if cell in known})


def over_space(flow: Flow, node: Node) -> State:
    """Pooling by averages, resizing, rolling, padding by reflection: linear along axes that no site lies along."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    for ref in value.refs.values():
        flow.sites.skew(ref)
    return Carried(axes, _beside(flow, value, axes, _dims(node, len(value.axes))))


def max_pool(flow: Flow, node: Node) -> State:
    """The largest value nearby."""
    value, axes = flow.carried(node.args[0]), flow.traced.values[node.name]
    for ref in value.refs.values():
        flow.sites.activate(ref, "max_pool")
    several = bool(axes) and isinstance(axes[0], tuple)
    first: Axes = axes[0] if several else axes  # type: ignore[assignment]
    pooled = Carried(first, _beside(flow, value, first, _dims(node, len(value.axes))))
    return (pooled, *flow.plain(node)[1:]) if several else pooled  # type: ignore[index]


def _dims(node: Node, rank: int) -> set[int]:
    """The axes along which an operator mixes positions."""
    name = operator_name(node)
    if name == "roll":
        given: Any = node.args[2] if len(node.args) > 2 else range(rank)
        return {int(d) % rank for d in ([given] if isinstance(given, int) else given)}
    if "pad" in name:
        return set(range(rank - len(node.args[1]) // 2, rank))  # type: ignore[arg-type]
    return set(range(rank - next(int(mark[0]) for mark in re.findall(r"\dd", name)), rank))


def _beside(flow: Flow, value: Carried, axes: Axes, dims: set[int]) -> dict[Cell, Ref]:
    """The cells of a value whose sites do not lie along some axes; the others are fixed."""
    known = set(cells_of(axes))
    refs = {}
    for cell, ref in value.refs.items():
        mixed = {atom for d in dims for atom in part_atoms(value.axes[d], cell[d])}
        if ref != ZERO and mixed & flow.sites.spread(ref):
            flow.sites.limit(ref, "none")
        after = tuple(() if d in dims else part for d, part in enumerate(cell))
        if cell in known or after in known:
            refs[cell if cell in known else after] = ref
        else:
            flow.sites.limit(ref, "none")
    return refs
