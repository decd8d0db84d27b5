"""Norms: what is normalised together may be permuted together."""

from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.atoms import Variable, product, unify
from wembed.symmetry.trace.propagation import Outcome, Propagation, Value, arguments, shape_of


def layer_norm(trace: Propagation, node: Node) -> Outcome:
    """`layer_norm`, `rms_norm`: over the last axes, whose weights lie along them."""
    value, given = trace.value(node.args[0]), arguments(node)
    last = value.axes[-len(given["normalized_shape"]) :]
    trace.mix(value.axes, range(-len(last), 0))
    for vector in (given["weight"], given.get("bias")):
        if isinstance(vector, Node):
            for axis, own in zip(last, trace.axes(vector), strict=True):
                unify(axis, own)
    statistics = Value((*value.axes[: -len(last)], *(Variable(1) for _ in last)))
    return _with_statistics(node, value, [statistics] * 2)


def batch_norm(trace: Propagation, node: Node) -> Outcome:
    """By channel: `batch_norm`, `instance_norm`; all their vectors lie along the channels."""
    value, given = trace.value(node.args[0]), arguments(node)
    trace.mix(value.axes, (dim for dim in range(len(value.axes)) if dim != 1))
    for name in ("weight", "bias", "running_mean", "running_var"):
        trace.along(value.axes[1], given.get(name))
    statistics = Value((value.axes[1],))
    return _with_statistics(node, value, [statistics] * 4)


def group_norm(trace: Propagation, node: Node) -> Outcome:
    """By groups of channels: a product of groups and channels, unless each is a group or all are one."""
    value, given = trace.value(node.args[0]), arguments(node)
    channels, groups = value.axes[1], given["num_groups"] if "num_groups" in given else given["group"]
    group, inside = Variable(groups), Variable(channels.size // groups)
    unify(channels, product((group, inside)))
    trace.mix((value.axes[0], group, inside, *value.axes[2:]), range(2, len(value.axes) + 1))
    for name in ("weight", "bias"):
        trace.along(channels, given[name])
    statistics = Value((value.axes[0], Variable(groups, "statistics of groups")))
    return _with_statistics(node, value, [statistics] * 2)


def _with_statistics(node: Node, value: Value, statistics: list[Value]) -> Outcome:
    """Some forms of a norm give mean and variance too, or empty tensors in their place."""
    if not isinstance(node.meta["val"], list | tuple):
        return value
    found: list[Any] = list(node.meta["val"][1:])
    kept = [own if item.numel() else Value((Variable(0),)) for own, item in zip(statistics, found, strict=False)]
    return (value, *kept)


def weight_norm(trace: Propagation, node: Node) -> Outcome:
    """A direction and, along one axis, lengths."""
    direction, length = trace.axes(node.args[0]), trace.axes(node.args[1])
    trace.mix(
        direction, (dim for dim in range(len(direction)) if len(length) != len(direction) or length[dim].size == 1)
    )
    if len(length) == len(direction):
        for axis, own in zip(direction, length, strict=True):
            unify(axis, own)
    several = isinstance(node.meta["val"], list | tuple)
    if not several and shape_of(node) != [axis.size for axis in direction]:
        raise ValueError("a weight norm of another shape")
    return (Value(direction), Value(length)) if several else Value(direction)
