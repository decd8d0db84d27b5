"""Recurrent layers: gates are sums of one hidden axis, and a tanh lets signs of the state pass."""

from dataclasses import dataclass
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import Sum, part_atoms, parts_of
from wembed.symmetry.trace.carried import Carried, Cell, Part, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, operator_name, unknown
from wembed.symmetry.trace.rules.writing import write
from wembed.symmetry.trace.sites import ZERO, Ref


@dataclass(frozen=True)
class _Cell:
    """A kind of recurrent layer.

    Args:
        states: how many values are carried along in time.
        candidate: the gate that becomes the state.
        activation: what it passes; the other gates pass a sigmoid.
    """

    states: int
    candidate: Part
    activation: str


_CELLS = {
    "lstm": _Cell(2, (2,), "tanh"),
    "gru": _Cell(1, (2,), "tanh"),
    "rnn_tanh": _Cell(1, (), "tanh"),
    "rnn_relu": _Cell(1, (), "relu"),
}


def recurrent(flow: Flow, node: Node) -> State:
    """`lstm`, `gru`, `rnn_tanh`, `rnn_relu`: all layers and directions."""
    cell = _CELLS[operator_name(node)]
    initial: list[Any] = list(node.args[1]) if isinstance(node.args[1], list | tuple) else [node.args[1]]
    has_biases, layers, bidirectional = node.args[3], int(node.args[4]), bool(node.args[7])  # type: ignore[arg-type]
    states = [flow.state(argument) for argument in node.args[2]]  # type: ignore[union-attr]
    weights = [state for state in states if isinstance(state, Weight)]
    directions = 2 if bidirectional else 1
    each = 4 if has_biases else 2
    if not len(weights) == len(states) == layers * directions * each:
        return unknown(flow, node)
    value = flow.carried(node.args[0])
    hidden: list[Ref] = []
    for layer in range(layers):
        first = layer * directions * each
        hidden = [_direction(flow, value, weights[first + i * each :][:each], cell) for i in range(directions)]
        _start(flow, initial, hidden)
        value = _next(flow, weights[(first + directions * each) :][:1], hidden) if layer + 1 < layers else value
    return _outputs(flow, node, hidden)


def _direction(flow: Flow, value: Carried, weights: list[Weight], cell: _Cell) -> Ref:
    """One layer in one direction; the site of its state."""
    into, recurring, *biases = weights
    hidden = flow.sites.new(part_atoms(recurring.axes[1], ()))
    state = Carried((recurring.axes[1],), {((),): hidden})
    roles = ("target", "source")
    written = write(flow, value, len(value.axes) - 1, into, roles, biases[0] if biases else None)  # type: ignore[arg-type]
    again = write(flow, state, 0, recurring, roles, biases[1] if biases else None)  # type: ignore[arg-type]
    for part in parts_of(into.axes[0]):
        gate = flow.sites.join(written[part].target, again[part].target)
        if part == cell.candidate:
            flow.sites.join(hidden, gate)
        flow.sites.activate(gate, cell.activation if part == cell.candidate else "sigmoid")
    return hidden


def _start(flow: Flow, initial: list[Node], hidden: list[Ref]) -> None:
    """A state that does not start at zero comes from outside."""
    for argument in initial:
        value = flow.carried(argument)
        if not value.refs or any(ref != ZERO for ref in value.refs.values()):
            flow.fix(argument)
            for ref in hidden:
                flow.sites.limit(ref, "none")


def _next(flow: Flow, weights: list[Weight], hidden: list[Ref]) -> Carried:
    """What the next layer reads: the states, both directions one after the other."""
    axis = weights[0].axes[1]
    cells: list[Cell] = [(part,) for part in parts_of(axis)]
    return Carried((axis,), dict(zip(cells, hidden, strict=False)) if len(cells) == len(hidden) else {})


def _outputs(flow: Flow, node: Node, hidden: list[Ref]) -> State:
    axes = flow.traced.values[node.name]
    last = axes[0][-1]  # type: ignore[index]
    parts = parts_of(last)
    if len(parts) != len(hidden) or (len(hidden) > 1 and not isinstance(last, Sum)):
        for ref in hidden:
            flow.sites.limit(ref, "none")
        return flow.plain(node)
    by_part = dict(zip(parts, hidden, strict=True))
    output = Carried(axes[0], {cell: by_part[cell[-1]] for cell in cells_of(axes[0])})  # type: ignore[arg-type]
    final = []
    for number, inner in enumerate(axes[1:]):
        single = len(hidden) == 1 and int(node.args[4]) == 1 and number == 0  # type: ignore[arg-type]
        final.append(Carried(inner, dict.fromkeys(cells_of(inner), hidden[0]) if single else {}))  # type: ignore[arg-type]
        if not single and any(user.args[1] == number + 1 for user in node.users if operator_name(user) == "getitem"):
            _fix_all(flow, node)
    return (output, *final)


def _fix_all(flow: Flow, node: Node) -> None:
    """The last states of several layers leave together, or a cell state leaves: no state of them may change."""
    for argument in node.args[2]:  # type: ignore[union-attr]
        state = flow.state(argument)
        if isinstance(state, Weight):
            flow.spend(state)
