"""Operators that multiply with weights and sum: linear layers, convolutions, tables, experts."""

from torch.fx import Node

from wembed.symmetry.axes import part_atoms, parts_of
from wembed.symmetry.spec import AxisRole
from wembed.symmetry.trace.carried import UNIT, Carried, Part, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, FoundLayer, operator_name, unknown
from wembed.symmetry.trace.rules.attention import multiplied_values
from wembed.symmetry.trace.rules.writing import write


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
    if not isinstance(weight, Weight) or node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("beta", 1) != 1:
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
    return multiplied_values(flow, node, x, y)


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
