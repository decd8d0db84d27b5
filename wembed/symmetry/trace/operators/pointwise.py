"""Operators entry by entry, along one axis, or that reduce some axes: none of them cares about the order."""

from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, unify
from wembed.symmetry.trace.operators.shape import pieces, with_axis
from wembed.symmetry.trace.propagation import Outcome, Propagation, Value, arguments, shape_of


def pointwise(trace: Propagation, node: Node) -> Value:
    """Entry by entry, broadcast: axes that meet are permuted alike."""
    return Value(broadcast([trace.axes(argument) for argument in node.all_input_nodes], shape_of(node)))


def broadcast(inputs: list[Axes], shape: list[int]) -> Axes:
    """The axes of what comes out where values meet entry by entry."""
    joined = [Variable(1) for _ in shape]
    for axes in inputs:
        for place, axis in enumerate(axes, start=len(shape) - len(axes)):
            joined[place] = unify(joined[place], axis)
    return tuple(joined)


def prelu(trace: Propagation, node: Node) -> Value:
    """A slope for each channel, or one for all."""
    value, slopes = trace.value(node.args[0]), trace.axes(node.args[1])
    if len(slopes) != 1:  # `_prelu_kernel` has them broadcast
        return pointwise(trace, node)
    if len(value.axes) > 1:
        unify(value.axes[1], slopes[0])
    elif slopes[0].size != 1:
        raise NotUnderstoodError("slopes for a vector")
    return value


def glu(trace: Propagation, node: Node) -> Value:
    """One half of an axis is gated by the other."""
    value, dim = trace.value(node.args[0]), arguments(node)["dim"]
    half = value.axes[dim].size // 2
    first, second = pieces(value.axes[dim], (half, half))
    return with_axis(value, dim, unify(first, second))


def along_axis(trace: Propagation, node: Node) -> Value:
    """`softmax` and its like: all entries along an axis are treated alike."""
    value = trace.value(node.args[0])
    trace.mix(value.axes, [arguments(node)["dim"]])
    return value


def cumulative(trace: Propagation, node: Node) -> Value:
    """`cumsum` and its like: the order along one axis matters."""
    value, dim = trace.value(node.args[0]), arguments(node)["dim"]
    trace.mix(value.axes, [dim])
    freeze(value.axes[dim], "summed up in order")
    return value


def triangle(trace: Propagation, node: Node) -> Value:
    """`tril`, `triu`: what is kept of the last two axes depends on the order."""
    value = trace.value(node.args[0])
    for axis in value.axes[-2:]:
        freeze(axis, "a triangle of a matrix")
    return value


def reduction(trace: Propagation, node: Node) -> Outcome:
    """`sum`, `mean`, `amax`, `var`, ...: over some axes, or all."""
    given = arguments(node)
    value = Value(trace.axes(node.args[0]))
    dims = _dims(given.get("dim"), len(value.axes))
    several = isinstance(node.meta["val"], list | tuple)
    first = node.meta["val"][0] if several else node.meta["val"]
    keep = first.dim() == len(value.axes)
    left = Value(
        tuple(Variable(1) if i in dims else axis for i, axis in enumerate(value.axes) if keep or i not in dims)
    )
    return (left,) * len(node.meta["val"]) if several else left


def _dims(given: Any, rank: int) -> set[int]:  # an operator's argument: a number, several, nothing
    if given is None or given == []:
        return set(range(rank))
    return {dim % rank for dim in ([given] if isinstance(given, int) else given)}


def difference(trace: Propagation, node: Node) -> Value:
    """`diff`: of what stands side by side."""
    given, shape = arguments(node), shape_of(node)
    inputs = [trace.value(given[name]) for name in ("self", "prepend", "append") if isinstance(given[name], Node)]
    dim = given["dim"] % len(shape)
    for value in inputs:
        trace.mix(value.axes, [dim])
        freeze(value.axes[dim], "differences of neighbours")
    rest = broadcast([value.axes[:dim] + value.axes[dim + 1 :] for value in inputs], shape[:dim] + shape[dim + 1 :])
    return Value((*rest[:dim], Variable(shape[dim], "differences of neighbours"), *rest[dim:]))
