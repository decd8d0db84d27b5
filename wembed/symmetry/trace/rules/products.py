"""Operators that multiply and sum: linear layers, convolutions, embeddings, products of two values, attention."""

from collections.abc import Sequence
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms, parts_of
from wembed.symmetry.spec import AxisRole, LayerKind
from wembed.symmetry.trace.carried import UNIT, Carried, Cell, Part, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, FoundLayer, operator_name, unknown
from wembed.symmetry.trace.sites import ZERO, Ref


def linear(flow: Flow, node: Node) -> State:
    """Y = x W^T + b."""
    weight = flow.state(node.args[1])
    if not isinstance(weight, Weight):
        return _by_computed_weight(flow, node)
    x = flow.carried(node.args[0])
    written = write(flow, x, len(x.axes) - 1, weight, ("target", "source"), _bias(flow, node, 2))
    return _result(flow, node, x, written)


def addmm(flow: Flow, node: Node) -> State:
    """Y = b + x W."""
    weight = flow.state(node.args[2])
    if not isinstance(weight, Weight):
        return _by_computed_weight(flow, node)
    x = flow.carried(node.args[1])
    written = write(flow, x, len(x.axes) - 1, weight, ("source", "target"), _bias(flow, node, 0))
    return _result(flow, node, x, written)


def matmul(flow: Flow, node: Node) -> State:
    """A product of matrices: of a value and a parameter, or of two values."""
    first, second = flow.state(node.args[0]), flow.state(node.args[1])
    if isinstance(second, Weight) and isinstance(first, Carried) and len(second.axes) >= 2:
        batch: list[AxisRole] = ["batch"] * (len(second.axes) - 2)
        written = write(flow, first, len(first.axes) - 1, second, (*batch, "source", "target"), None)
        return _result(flow, node, first, written)
    if isinstance(first, Weight) and isinstance(second, Carried):
        return _by_expert(flow, node, first, second)
    x, y = flow.carried(node.args[0]), flow.carried(node.args[1])
    if len(x.axes) < 2 or len(y.axes) < 2:
        return unknown(flow, node)
    label = "scores" if _is_uniform(y, len(y.axes) - 1) and _feeds_softmax(node) else "bilinear"
    multiply(flow, x, y, label)
    return _mixed(flow, node, x, y)


def _by_expert(flow: Flow, node: Node, weight: Weight, x: Carried) -> State:
    """A product W x, where every position has picked the W of its expert."""
    if not weight.chosen or len(weight.axes) != 3 or x.axes[0] != weight.axes[0]:
        return unknown(flow, node)
    axes = flow.axes(node)
    written = write(flow, x, 1, weight, ("batch", "target", "source"), None)
    positions = {atom for part in parts_of(weight.axes[0]) for atom in part_atoms(weight.axes[0], part)}
    for layer in written.values():
        flow.sites.choose(layer.target, weight.chosen, positions)
    return Carried(axes, {cell: written[cell[1]].target for cell in cells_of(axes) if cell[1] in written})


def expert(flow: Flow, node: Node) -> State:
    """`index`: a weight for every position, picked from the experts' weights."""
    weight, indices = flow.state(node.args[0]), node.args[1]
    axes = flow.axes(node)
    picked = [i for i, index in enumerate(indices) if index is not None]  # type: ignore[arg-type]
    if not isinstance(weight, Weight) or picked != [0] or len(axes) != len(weight.axes):
        return unknown(flow, node)
    atom = weight.axes[0]
    if not isinstance(atom, str) or flow.traced.atoms[atom].frozen:
        return unknown(flow, node)
    parts = dict.fromkeys(parts_of(axes[0]), ())
    return Weight(weight.tensor, axes, weight.places, (parts, *weight.parts[1:]), atom)


def _by_computed_weight(flow: Flow, node: Node) -> State:
    """A layer whose weight is computed first (a weight norm, an adapter that was added): fixed on both sides."""
    return unknown(flow, node)


def _bias(flow: Flow, node: Node, place: int) -> Weight | None:
    argument = node.args[place] if len(node.args) > place else node.kwargs.get("bias")
    state = flow.state(argument) if isinstance(argument, Node) else None
    if isinstance(state, Weight) or state is None:
        return state
    flow.fix(argument)
    return None


def _result(flow: Flow, node: Node, x: Carried, written: dict[Part, FoundLayer]) -> Carried:
    """The value whose last axis a layer wrote."""
    axes = flow.axes(node)
    flow.writers[node] = written
    return Carried(axes, {cell: written[cell[-1]].target for cell in cells_of(axes) if cell[-1] in written})


def write(
    flow: Flow,
    x: Carried,
    axis: int,
    weight: Weight,
    roles: Sequence[AxisRole],
    bias: Weight | None,
    kind: LayerKind = "dense",
) -> dict[Part, FoundLayer]:
    """A weight that reads an axis of a value; the layers by part of the axis that it writes.

    Args:
        flow: what is known.
        x: the value.
        axis: which of its axes is read.
        weight: the parameter.
        roles: of the weight's axes.
        bias: along the axis that is written.
        kind: of the layers.
    """
    target = roles.index("target")
    source = roles.index("source") if "source" in roles else -1
    batch = [weight.chosen] if weight.chosen else []
    if not batch:
        batch = [atom for i, role in enumerate(roles) if role == "batch" for atom in part_atoms(weight.axes[i], ())]
    written: dict[Part, FoundLayer] = {}
    for part in parts_of(weight.axes[target]):
        own = (*batch, *part_atoms(weight.axes[target], part))
        out = flow.place(weight, target, part, None) if not batch else flow.sites.new(own)
        if batch:
            flow.place(weight, target, part, out)
        for read in parts_of(weight.axes[source]) if source >= 0 else [part]:
            entering = flow.read(x, axis, read) if read in parts_of(x.axes[axis]) else flow.sites.new(())
            if source >= 0:
                inside = (*batch, *part_atoms(weight.axes[source], read))
                own_atoms = (*own, *inside) if kind == "dense" and _is_grouped(x, axis, weight, source) else inside
                flow.sites.restrict(entering, own_atoms)
                flow.place(weight, source, read, entering.inverse)
            layer = _layer(flow, kind, weight, roles, entering, out, part, read)
            written.setdefault(part, layer)
        if bias is not None:
            _attach(flow, written[part], bias, part, out)
    return written


def _is_grouped(x: Carried, axis: int, weight: Weight, source: int) -> bool:
    return x.axes[axis] != weight.axes[source]


def _layer(
    flow: Flow,
    kind: LayerKind,
    weight: Weight,
    roles: Sequence[AxisRole],
    entering: Ref,
    out: Ref,
    part: Part,
    read: Part,
) -> FoundLayer:
    """The layer of one part of a weight, unless an earlier use of it has made that layer."""
    target = roles.index("target")
    source = roles.index("source") if "source" in roles else -1
    target_part = weight.parts[target][part]
    source_part = weight.parts[source][read] if source >= 0 else ()
    layout = _stored(flow, weight, roles)
    for layer in flow.layers:
        turned = layer.layout != layout  # an earlier use read what this one writes
        parts = (source_part, target_part) if turned else (target_part, source_part)
        if layer.tensors.get("weight") == weight.tensor and (layer.target_part, layer.source_part) == parts:
            if kind != "dense":  # its factors are those of both ends at once
                flow.sites.join(layer.source, entering)
                flow.sites.join(layer.target, out)
            return FoundLayer(kind, entering, out, {}) if turned else layer
    found = FoundLayer(kind, entering, out, {"weight": weight.tensor}, layout, 1e-5, target_part, source_part)
    flow.layers.append(found)
    return found


def _stored(flow: Flow, weight: Weight, roles: Sequence[AxisRole]) -> tuple[AxisRole, ...]:
    """Roles in the order of the tensor's own axes; one of size 1 that was dropped is a tap."""
    by_place = {place: role for place, role in zip(weight.places, roles, strict=True) if place >= 0}
    return tuple(by_place.get(place, "tap") for place in range(len(flow.traced.tensors[weight.tensor])))


def _attach(flow: Flow, layer: FoundLayer, bias: Weight, part: Part, out: Ref) -> None:
    flow.place(bias, len(bias.axes) - 1, part, out)
    stored = bias.parts[-1][part]
    if any(bias.tensor in other.tensors.values() and other.target_part == stored for other in flow.layers):
        return
    if "bias" not in layer.tensors and "weight" in layer.tensors and stored == layer.target_part:
        layer.tensors["bias"] = bias.tensor
    else:
        flow.layers.append(FoundLayer("gain", out, out, {"bias": bias.tensor}, target_part=stored))


def embedding(flow: Flow, node: Node) -> State:
    """Rows of a table."""
    weight = flow.state(node.args[0])
    if not isinstance(weight, Weight):
        return unknown(flow, node)
    rows = Carried((weight.axes[0],), {})
    flow.fix(node.args[1])
    written = write(flow, rows, 0, weight, ("source", "target"), None)
    return _result(flow, node, rows, written)


def convolution(flow: Flow, node: Node) -> State:
    """A convolution, grouped or not, transposed or not."""
    weight, x, name = flow.state(node.args[1]), flow.carried(node.args[0]), operator_name(node)
    if not isinstance(weight, Weight) or len(x.axes) != len(weight.axes):
        return unknown(flow, node)
    taps: list[AxisRole] = ["tap"] * (len(weight.axes) - 2)
    transposed = "transpose" in name or (name == "convolution" and bool(node.args[6]))
    groups = _groups(node, name)
    if transposed and groups > 1:
        return unknown(flow, node)
    bias = _bias(flow, node, 2)
    if groups > 1 and weight.axes[1] == UNIT and weight.axes[0] == x.axes[1]:
        written = write(flow, x, 1, weight, ("target", "batch", *taps), bias, "depthwise")
        for layer in written.values():
            flow.sites.limit(layer.source, "real")
    else:
        roles: tuple[AxisRole, ...] = ("source", "target", *taps) if transposed else ("target", "source", *taps)
        if groups > 1 and (len(parts_of(x.axes[1])) > 1 or len(parts_of(weight.axes[0])) > 1):
            return unknown(flow, node)
        written = write(flow, x, 1, weight, roles, bias)
    axes = flow.axes(node)
    flow.writers[node] = written
    return Carried(axes, {cell: written[cell[1]].target for cell in cells_of(axes) if cell[1] in written})


def _groups(node: Node, name: str) -> int:
    place = 8 if name == "convolution" else 6
    value = node.args[place] if len(node.args) > place else node.kwargs.get("groups", 1)
    return int(value)  # type: ignore[arg-type]


def multiply(flow: Flow, x: Carried, y: Carried, label: str) -> None:
    """The last axis of x is summed over with the one before the last of y: their factors must cancel there."""
    _cancel(flow, x, len(x.axes) - 1, y, len(y.axes) - 2, label)


def _cancel(flow: Flow, x: Carried, axis: int, y: Carried, other: int, label: str) -> None:
    for part in parts_of(x.axes[axis]):
        atoms = set(part_atoms(x.axes[axis], part))
        left = _touched(flow, x, axis, part, atoms)
        right = _touched(flow, y, other, part, atoms)
        if left and right:
            query, key = _joined(flow, left), _joined(flow, right)
            if ZERO in (query, key):
                continue
            flow.sites.join(query, key.inverse)
            flow.sites.activate(query, label)
            if label == "scores":
                flow.sites.turn_key(key)
        for ref in (*left, *right) if not (left and right) else ():
            flow.sites.limit(ref, "none")


def _fix_beside(flow: Flow, value: Carried) -> None:
    """Fix what does not lie along the last axis: a factor of a whole query would change its scores."""
    for cell, ref in value.refs.items():
        if ref != ZERO and not set(part_atoms(value.axes[-1], cell[-1])) & flow.sites.spread(ref):
            flow.sites.limit(ref, "none")


def _is_uniform(value: Carried, axis: int) -> bool:
    """Whether all parts of an axis (positions) carry the same, written by the same layers."""
    refs: dict[Cell, set[Ref | None]] = {}
    for cell in cells_of(value.axes):
        refs.setdefault((*cell[:axis], *cell[axis + 1 :]), set()).add(value.refs.get(cell))
    return all(len(found) == 1 for found in refs.values())


def _touched(flow: Flow, value: Carried, axis: int, part: Part, atoms: set[str]) -> list[Ref]:
    """The sites of the cells of a part that lie along it."""
    refs = [ref for cell, ref in value.refs.items() if cell[axis] == part]
    return [ref for ref in refs if ref == ZERO or atoms & flow.sites.spread(ref)]


def _joined(flow: Flow, refs: list[Ref]) -> Ref:
    found = refs[0]
    for ref in refs[1:]:
        found = flow.sites.join(found, ref)
    return found


def _mixed(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """What a product of two values carries along the axes that were not summed over."""
    axes = flow.axes(node)
    label = "attention" if x.convex == len(x.axes) - 1 and _is_uniform(y, len(y.axes) - 2) else "bilinear"
    summed = set().union(*(part_atoms(x.axes[-1], part) for part in parts_of(x.axes[-1])))
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left = _through(flow, x, axes, cell, -1, summed, cell[-2])
        right = _through(flow, y, axes, cell, -2, summed, cell[-1])
        ref = _one_of(flow, left, right)
        if ref is not None:
            refs[cell] = ref
            _average(flow, ref, label, part_atoms(axes[-1], cell[-1]))
    return Carried(axes, refs)


def _through(
    flow: Flow, value: Carried, axes: Sequence[Any], cell: Cell, axis: int, summed: set[str], free: Part
) -> Ref | None:
    """The site of a factor of a product that does not lie along what is summed over."""
    found: Ref | None = None
    batch = len(value.axes) - 2
    lead = cell[len(cell) - 2 - batch : -2] if batch else ()
    inner = tuple(part if axis_ != UNIT else () for axis_, part in zip(value.axes[:-2], lead, strict=True))
    refs = []
    for part in parts_of(value.axes[axis]):
        key = (*inner, free, part) if axis == -1 else (*inner, part, free)
        refs.append(value.refs.get(key))
    carried = [ref for ref in refs if ref is not None and ref != ZERO and not summed & flow.sites.spread(ref)]
    for ref in carried:
        found = ref if found is None else flow.sites.join(found, ref)
    if found is not None and len(carried) < len([ref for ref in refs if ref != ZERO]):
        flow.sites.limit(found, "none")
    return found


def _one_of(flow: Flow, left: Ref | None, right: Ref | None) -> Ref | None:
    if left is not None and right is not None:
        flow.sites.limit(left, "none")
        flow.sites.limit(right, "none")
    return right if right is not None else left


_KEEPS_SCORES = frozenset(("add", "sub", "where", "masked_fill", "clone", "to", "_to_copy", "alias", "dropout"))


def _feeds_softmax(node: Node) -> bool:
    """Whether scores go nowhere but into a softmax over their last axis, with what is added to them on the way."""
    return bool(node.users) and all(_leads_to_softmax(node, user) for user in node.users)


def _leads_to_softmax(node: Node, user: Node) -> bool:
    name, keys = operator_name(user), node.meta["val"].shape[-1:]
    if name in ("softmax", "_softmax", "_safe_softmax"):
        rank = len(node.meta["val"].shape)
        return int(user.args[1]) % rank == rank - 1  # type: ignore[arg-type]
    is_scalar = name in ("mul", "div") and all(
        not isinstance(other, Node) or not other.meta["val"].shape for other in user.args if other is not node
    )
    is_moved = name in ("view", "reshape", "_unsafe_view", "unsqueeze") and user.meta["val"].shape[-1:] == keys
    return (name in _KEEPS_SCORES or is_scalar or is_moved) and _feeds_softmax(user)


def attention(flow: Flow, node: Node) -> State:
    """softmax(q k^T) v, for each head; grouped queries share their keys and values."""
    q, k, v = (flow.carried(argument) for argument in node.args[:3])
    for argument in (*node.args[3:], *node.kwargs.values()):
        if isinstance(argument, Node):
            flow.fix(argument)
    scores = "scores" if _is_uniform(k, len(k.axes) - 2) else "bilinear"
    averages = "attention" if _is_uniform(v, len(v.axes) - 2) else "bilinear"
    _cancel(flow, q, len(q.axes) - 1, k, len(k.axes) - 1, scores)
    for value in (q, k):
        _fix_beside(flow, value)
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        found = [ref for inner, ref in v.refs.items() if inner[-1] == cell[-1]]
        if found:
            refs[cell] = _joined(flow, found)
            _average(flow, refs[cell], averages, part_atoms(axes[-1], cell[-1]))
    return Carried(axes, refs)


def _average(flow: Flow, ref: Ref, label: str, atoms: Sequence[str]) -> None:
    """Note that a head's values are averaged: a matrix may mix them, a factor alone where there is one value."""
    if ref != ZERO:
        flow.sites.activate(ref, label)
        if not atoms:
            flow.sites.limit(ref, "real")
