"""Operators that act entry by entry, on one value or on two."""

from collections.abc import Mapping
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms
from wembed.symmetry.trace.carried import UNIT, Carried, State, Weight
from wembed.symmetry.trace.flow import Flow, operator_name, unknown
from wembed.symmetry.trace.rules.pairs import multiplied, summed
from wembed.symmetry.trace.rules.shape import same
from wembed.symmetry.trace.rules.vectors import add_parameter, gain
from wembed.symmetry.trace.sites import ZERO

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
        return add_parameter(flow, node, first, states[0], states[1])
    if isinstance(states[0], Weight) and isinstance(states[1], Carried):
        return add_parameter(flow, node, second, states[1], states[0])
    return summed(flow, node, flow.carried(first), flow.carried(second))


def activation_of(flow: Flow, argument: Node) -> Carried:
    """What an entry-by-entry function that is not known leaves of a value."""
    value = flow.carried(argument)
    for ref in value.refs.values():
        flow.sites.limit(ref, "none")
    return Carried(value.axes, {cell: ref for cell, ref in value.refs.items() if ref != ZERO})


def _passed(flow: Flow, argument: Node) -> Carried:
    value = flow.carried(argument)
    return Carried(value.axes, value.refs)


def mul(flow: Flow, node: Node) -> State:
    """A product, of two values or of a value and a parameter."""
    first, second = node.args[0], node.args[1]
    if node.kwargs.get("rounding_mode"):
        return unknown(flow, node)
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
    return multiplied(flow, node, flow.carried(first), flow.carried(second))


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
