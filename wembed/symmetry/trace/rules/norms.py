"""Norms: what they normalise loses its factors; what they multiply with afterwards brings new ones."""

from collections.abc import Sequence
from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.carried import Carried, State, Weight, cells_of
from wembed.symmetry.trace.flow import Flow, FoundLayer, operator_name, unknown
from wembed.symmetry.trace.rules.vectors import vector_layer

_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def layer_norm(flow: Flow, node: Node) -> State:
    """`layer_norm`, `rms_norm`: over the last axes."""
    return _normalised(flow, node, node.args[2:4], -1)


def group_norm(flow: Flow, node: Node) -> State:
    """`group_norm`: over groups of channels."""
    name = operator_name(node)
    parameters = node.args[2:4] if name == "group_norm" else node.args[1:3]
    return _normalised(flow, node, parameters, 1)


def _normalised(flow: Flow, node: Node, parameters: Sequence[Any], axis: int) -> State:
    flow.fix(node.args[0])
    value = flow.carried(node.args[0])
    outcome = Carried(value.axes, dict(value.refs))
    weights = _weights(flow, dict(zip(("weight", "bias"), parameters, strict=False)))
    if weights and all(len(weight.axes) == 1 for weight in weights.values()):
        outcome = _per_channel(flow, node, value, weights, axis % len(value.axes), "gain", 1e-5)
    else:
        for weight in weights.values():
            flow.spend(weight)
    axes = flow.traced.values[node.name]
    several = bool(axes) and isinstance(axes[0], tuple)
    return (outcome, *flow.plain(node)[1:]) if several else outcome  # type: ignore[index]


def _weights(flow: Flow, arguments: dict[str, Any]) -> dict[str, Weight]:
    states = {role: flow.state(value) for role, value in arguments.items() if isinstance(value, Node)}
    return {role: state for role, state in states.items() if isinstance(state, Weight)}


def _per_channel(
    flow: Flow, node: Node, value: Carried, weights: dict[str, Weight], axis: int, kind: Any, eps: float
) -> Carried:
    refs = {}
    written: dict[tuple[int, ...], FoundLayer] = {}
    for cell in cells_of(value.axes):
        part = cell[axis]
        if part not in written:
            written[part] = vector_layer(flow, kind, flow.read(value, axis, part), weights, 0, part)
            written[part].eps = eps
        refs[cell] = written[part].target
    flow.writers[node] = written
    return Carried(value.axes, refs)


def batch_norm(flow: Flow, node: Node) -> State:
    """A batch norm with running statistics: an affine map of every channel."""
    value = flow.carried(node.args[0])
    weights = _weights(flow, dict(zip(_BATCH_NORM, node.args[1:5], strict=True)))
    axes = flow.traced.values[node.name]
    several = bool(axes) and isinstance(axes[0], tuple)
    if len(weights) < len(_BATCH_NORM):
        return unknown(flow, node)
    eps = float(node.args[6 if operator_name(node) == "_native_batch_norm_legit_no_training" else 7])  # type: ignore[arg-type]
    outcome = _per_channel(flow, node, value, weights, 1, "batch_norm", eps)
    return (outcome, *flow.plain(node)[1:]) if several else outcome  # type: ignore[index]
