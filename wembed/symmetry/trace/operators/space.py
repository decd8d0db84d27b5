"""Operators over a grid: convolutions, pooling, resizing. Places and kernel taps keep their order."""

import re
from collections.abc import Sequence

from torch.fx import Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, mark, product, unify
from wembed.symmetry.trace.propagation import Outcome, Propagation, Value, arguments, operator_name

PLACES, TAPS = "places on a grid", "kernel taps"


def convolution(trace: Propagation, node: Node) -> Value:
    """`conv1d` to `conv3d`: channels are a product of groups and channels of a group."""
    given, (x, weight) = arguments(node), _grid(trace, node)
    groups, inside = given["groups"], weight[1]
    outside = Variable(weight[0].size // groups)
    _grouped(x[1], groups, inside, weight[0], outside, trace, node)
    trace.along(weight[0], given["bias"])
    trace.runs_over(x[0], weight[0], weight[1], *x[2:])
    return Value((x[0], weight[0], *_places(node, len(x) - 2)))


def transposed_convolution(trace: Propagation, node: Node) -> Value:
    """`conv_transpose1d` to `conv_transpose3d`: the weight is [in, out of a group, taps]."""
    given, (x, weight) = arguments(node), _grid(trace, node)
    groups = given["groups"]
    group = Variable(groups)
    unify(x[1], weight[0])
    if groups > 1:
        unify(weight[0], product((group, Variable(weight[0].size // groups))))
    channels = product((group, weight[1]))
    trace.wrote(given["weight"], channels)
    trace.along(channels, given["bias"])
    trace.runs_over(x[0], weight[0], weight[1], *x[2:])
    return Value((x[0], channels, *_places(node, len(x) - 2)))


def any_convolution(trace: Propagation, node: Node) -> Value:
    """`convolution`, which says whether it is transposed."""
    return transposed_convolution(trace, node) if arguments(node)["transposed"] else convolution(trace, node)


def _grid(trace: Propagation, node: Node) -> tuple[Axes, Axes]:
    given = arguments(node)
    x, weight = trace.axes(given["input"]), trace.axes(given["weight"])
    if len(x) != len(weight):
        raise NotUnderstoodError("a convolution without a batch")
    for axis in x[2:]:
        freeze(axis, PLACES)
    for axis in weight[2:]:
        mark(axis, "spatial")
        freeze(axis, TAPS)
    return x, weight


def _grouped(
    x: Variable, groups: int, inside: Variable, target: Variable, outside: Variable, trace: Propagation, node: Node
) -> None:
    if groups == 1:
        unify(x, inside)
    else:
        group = Variable(groups)
        unify(x, product((group, inside)))
        unify(target, product((group, outside)))
    trace.wrote(arguments(node)["weight"], target)


def _places(node: Node, count: int) -> Axes:
    value = node.meta["val"]
    return tuple(Variable(int(size), PLACES) for size in value.shape[value.dim() - count :])


def over_places(trace: Propagation, node: Node) -> Outcome:
    """Pooling, resizing, reflecting: the last axes are a grid, all others are left alone."""
    axes, count = trace.axes(node.args[0]), _dimensions(operator_name(node))
    for axis in axes[len(axes) - count :]:
        freeze(axis, PLACES)
    values = node.meta["val"] if isinstance(node.meta["val"], list | tuple) else (node.meta["val"],)
    found = tuple(Value((*axes[: len(axes) - count], *_sized(item.shape[item.dim() - count :]))) for item in values)
    return found if isinstance(node.meta["val"], list | tuple) else found[0]


def _dimensions(name: str) -> int:
    found = re.search(r"([123])d", name)
    if found is None:
        raise NotUnderstoodError(f"{name} over an unknown number of axes")
    return int(found[1])


def _sized(shape: Sequence[int]) -> Axes:
    return tuple(Variable(int(size), PLACES) for size in shape)


def patches(trace: Propagation, node: Node) -> Value:
    """`im2col`: channels x taps, and places."""
    axes = trace.axes(node.args[0])
    for axis in axes[-2:]:
        freeze(axis, PLACES)
    batch, wide, places = (int(size) for size in node.meta["val"].shape)
    taps = Variable(wide // axes[1].size, TAPS)
    return Value((unify(axes[0], Variable(batch)), product((axes[1], taps)), Variable(places, PLACES)))
