"""Recurrent layers: their gates are sums of one hidden axis, which both directions of the next layer read."""

from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, total, unify
from wembed.symmetry.trace.propagation import Outcome, Propagation, Value, arguments, operator_name

IN_ORDER = "layers, directions and steps in order"
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1, "lstm_cell": 4, "gru_cell": 3}


def recurrent(trace: Propagation, node: Node) -> Outcome:
    """`lstm`, `gru`, `rnn_tanh`, `rnn_relu`: layers in one or both directions."""
    given, gates = arguments(node), _GATES[operator_name(node)]
    if "data" in given:
        raise NotUnderstoodError("a packed sequence")
    x = trace.axes(given["input"])
    initial: list[Node] = list(given["hx"]) if isinstance(given["hx"], list | tuple) else [given["hx"]]
    directions = 2 if given["bidirectional"] else 1
    each = len(given["params"]) // (int(given["num_layers"]) * directions)
    if each != (4 if given["has_biases"] else 2):
        raise NotUnderstoodError("a recurrent layer with a projection")
    source, states = x[-1], []
    for first in range(0, len(given["params"]), each * directions):
        hidden = []
        for direction in range(directions):
            weights = given["params"][first + direction * each :][:each]
            hidden.append(_layer(trace, source, weights, gates))
        source = total(hidden)
        states += hidden
    return _outputs(trace, node, x, source, states, initial)


def _layer(trace: Propagation, source: Variable, weights: list[Any], gates: int) -> Variable:  # parameters
    """One direction of one layer: its hidden axis."""
    into, recurring = trace.axes(weights[0]), trace.axes(weights[1])
    hidden = Variable(recurring[1].size)
    unify(source, into[1])
    unify(recurring[1], hidden)
    for axis in (into[0], recurring[0], *(trace.axes(bias)[0] for bias in weights[2:])):
        unify(axis, total([hidden] * gates))
    trace.wrote(weights[0], hidden)
    trace.runs_over(*into)
    trace.runs_over(*recurring)
    return hidden


def _outputs(
    trace: Propagation, node: Node, x: Axes, last: Variable, states: list[Variable], initial: list[Node]
) -> Outcome:
    """What all steps give, and the last states [layers x directions, batch, hidden] of each kind."""
    shared = states[0]
    for axis in (*x[:-1], *(axis for state in initial for axis in trace.axes(state)[:-1])):
        freeze(axis, IN_ORDER)
    held = [trace.axes(state) for state in initial]
    are_fixed = any(axes[-1].size != 1 and not _is_constant(node_) for axes, node_ in zip(held, initial, strict=True))
    leave = any(user.args[1] != 0 for user in node.users if operator_name(user) == "getitem")
    if are_fixed or (leave and len(states) > 1):
        for state in states[1:]:
            unify(shared, state)
        for axes in held:
            unify(axes[-1], shared)
    rank = len(x)
    output = Value((*x[: rank - 1], last))
    finals = tuple(Value((*(Variable(axis.size, IN_ORDER) for axis in axes[:-1]), shared)) for axes in held)
    return (output, *finals)


def _is_constant(node: Node) -> bool:
    return node.op == "call_function" and operator_name(node) in ("zeros", "full", "zeros_like", "new_zeros", "ones")


def cell(trace: Propagation, node: Node) -> Outcome:
    """`lstm_cell`, `gru_cell`: one step of one layer."""
    given, gates = arguments(node), _GATES[operator_name(node)]
    states = given["hx"] if isinstance(given["hx"], list | tuple) else [given["hx"]]
    x = trace.axes(given["input"])
    weights = [given[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh") if isinstance(given[name], Node)]
    hidden = _layer(trace, x[-1], weights, gates)
    for state in states:
        unify(trace.axes(state)[-1], hidden)
    value = Value((*x[:-1], hidden))
    return (value,) * len(node.meta["val"]) if isinstance(node.meta["val"], list | tuple) else value
