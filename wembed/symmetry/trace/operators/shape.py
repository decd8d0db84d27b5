"""Operators that only move entries: reshapes, transposes, cuts, concatenations."""

import math
from collections.abc import Sequence
from dataclasses import replace

from torch.fx import Node

from wembed.symmetry.trace.atoms import (
    UNALIGNED,
    Axes,
    NotUnderstoodError,
    Variable,
    cut,
    freeze,
    is_frozen,
    product,
    take,
    total,
    unify,
)
from wembed.symmetry.trace.propagation import Outcome, Propagation, Value, arguments, shape_of


def same(trace: Propagation, node: Node) -> Value:
    """The value itself: `clone`, `alias`, `_to_copy`, ... ."""
    return trace.value(node.args[0])


def getitem(trace: Propagation, node: Node) -> Outcome:
    """One of several values."""
    source, index = node.args
    values: Outcome = trace.values[source] if isinstance(source, Node) else ()
    if not isinstance(values, tuple) or not isinstance(index, int):
        raise NotUnderstoodError(f"{node} takes {index} of {source}")
    found: Value = values[index]
    return found


def reshape(trace: Propagation, node: Node) -> Value:
    """`view`, `reshape`, `flatten`, `unflatten`: the same entries in the same order."""
    value = trace.value(node.args[0])
    return replace(value, axes=reshaped(value.axes, shape_of(node)))


def transpose(trace: Propagation, node: Node) -> Value:
    """Two axes change places."""
    value, given = trace.value(node.args[0]), arguments(node)
    axes = list(value.axes)
    first, second = given["dim0"], given["dim1"]
    axes[first], axes[second] = axes[second], axes[first]
    return replace(value, axes=tuple(axes))


def transpose_matrix(trace: Propagation, node: Node) -> Value:
    """`t`, `numpy_T`: all axes in reverse."""
    value = trace.value(node.args[0])
    return replace(value, axes=value.axes[::-1])


def permute(trace: Propagation, node: Node) -> Value:
    """The axes in another order."""
    value, order = trace.value(node.args[0]), arguments(node)["dims"]
    return replace(value, axes=tuple(value.axes[place] for place in order))


def unsqueeze(trace: Propagation, node: Node) -> Value:
    """An axis of size 1 more, or fewer."""
    value = trace.value(node.args[0])
    return replace(value, axes=reshaped(value.axes, shape_of(node)))


def expand(trace: Propagation, node: Node) -> Value:
    """What is repeated along an axis may be permuted along it."""
    value, shape = trace.value(node.args[0]), shape_of(node)
    axes = (*(Variable(1) for _ in shape[len(value.axes) :]), *value.axes)
    kept = (axis if axis.size == size else Variable(size) for axis, size in zip(axes, shape, strict=True))
    return replace(value, axes=tuple(kept))


def repeat(trace: Propagation, node: Node) -> Value:
    """Tiles, one after the other along each axis."""
    axes, shape = trace.axes(node.args[0]), shape_of(node)
    axes = (*(Variable(1) for _ in shape[len(axes) :]), *axes)
    tiled = (product((Variable(size // max(axis.size, 1)), axis)) for axis, size in zip(axes, shape, strict=True))
    return Value(tuple(tiled))


def repeat_interleave(trace: Propagation, node: Node) -> Value:
    """Every index of one axis a number of times in a row."""
    given, axes = arguments(node), list(trace.axes(node.args[0]))
    count, dim = given["repeats"], given["dim"]
    if not isinstance(count, int) or dim is None:
        raise NotUnderstoodError("repeat_interleave by a tensor")
    axes[dim] = product((axes[dim], Variable(count)))
    return Value(tuple(axes))


def slices(trace: Propagation, node: Node) -> Value:
    """A stretch of an axis."""
    value, given = trace.value(node.args[0]), arguments(node)
    dim, step = given["dim"], given["step"]
    size = value.axes[dim].size
    start, stop, _ = slice(given["start"], given["end"]).indices(size)
    if step != 1:
        freeze(value.axes[dim], "every few indices")
        return with_axis(value, dim, Variable(shape_of(node)[dim], "every few indices"))
    stop = max(start, stop)
    return with_axis(value, dim, pieces(value.axes[dim], (start, stop - start, size - stop))[1])


def narrow(trace: Propagation, node: Node) -> Value:
    """A stretch by its start and length."""
    value, given = trace.value(node.args[0]), arguments(node)
    size, start, length = value.axes[given["dim"]].size, int(given["start"]), given["length"]
    start += size if start < 0 else 0
    return with_axis(value, given["dim"], pieces(value.axes[given["dim"]], (start, length, size - start - length))[1])


def split(trace: Propagation, node: Node) -> Outcome:
    """An axis in consecutive stretches: `split`, `split_with_sizes`, `chunk`."""
    value, dim = trace.value(node.args[0]), arguments(node)["dim"]
    sizes = [int(item.shape[dim]) for item in node.meta["val"]]
    return tuple(with_axis(value, dim, piece) for piece in pieces(value.axes[dim], sizes))


def select(trace: Propagation, node: Node) -> Value:
    """One index of an axis."""
    value, given = trace.value(node.args[0]), arguments(node)
    dim, size = given["dim"] % len(value.axes), value.axes[given["dim"]].size
    index = int(given["index"]) % size
    pieces(value.axes[dim], (index, 1, size - index - 1))
    return replace(value, axes=value.axes[:dim] + value.axes[dim + 1 :])


def unbind(trace: Propagation, node: Node) -> Outcome:
    """Every index of an axis by itself."""
    value = trace.value(node.args[0])
    dim = arguments(node)["dim"] % len(value.axes)
    pieces(value.axes[dim], [1] * value.axes[dim].size)
    rest = replace(value, axes=value.axes[:dim] + value.axes[dim + 1 :])
    return tuple(rest for _ in range(value.axes[dim].size))


def pieces(axis: Variable, sizes: Sequence[int]) -> list[Variable]:
    """An axis cut into stretches, frozen where they do not line up with what it is made of."""
    found = cut(axis, sizes)
    if found is None:
        freeze(axis, UNALIGNED)
        return [Variable(size, UNALIGNED) for size in sizes]
    return found


def with_axis(value: Value, dim: int, axis: Variable) -> Value:
    """The same value with one axis replaced."""
    dim %= len(value.axes)
    return replace(value, axes=(*value.axes[:dim], axis, *value.axes[dim + 1 :]))


def cat(trace: Propagation, node: Node) -> Value:
    """Values one after the other: a sum of axes."""
    given = arguments(node)
    inputs = [trace.axes(argument) for argument in given["tensors"]]
    inputs = [axes for axes in inputs if [axis.size for axis in axes] != [0]]  # an empty tensor of any rank
    dim = given["dim"] % len(inputs[0])
    joined = list(inputs[0])
    for axes in inputs[1:]:
        for place, axis in enumerate(axes):
            if place != dim:
                joined[place] = unify(joined[place], axis)
    joined[dim] = total(axes[dim] for axes in inputs)
    return Value(tuple(joined))


def stack(trace: Propagation, node: Node) -> Value:
    """Values side by side along a new axis, whose order is fixed."""
    given = arguments(node)
    first, *others = (trace.axes(argument) for argument in given["tensors"])
    joined = list(first)
    for axes in others:
        joined = [unify(own, axis) for own, axis in zip(joined, axes, strict=True)]
    dim = given["dim"] % (len(joined) + 1)
    return Value((*joined[:dim], Variable(1 + len(others), "stacked"), *joined[dim:]))


def pad(trace: Propagation, node: Node) -> Value:
    """One number in front and behind: a sum of that, the axis, and that."""
    axes, given = list(trace.axes(node.args[0])), arguments(node)
    if given.get("mode", "constant") != "constant":
        raise NotUnderstoodError("padding with what is there")
    amounts, shape = given["pad"], shape_of(node)
    for number, (front, back) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        dim = len(axes) - 1 - number
        axes[dim] = _padded(axes[dim], front, back, shape[dim])
    return Value(tuple(axes))


def _padded(axis: Variable, front: int, back: int, size: int) -> Variable:
    if front == back == 0:
        return axis
    if is_frozen(axis):
        return Variable(size, "padded")
    kept = (max(-front, 0), axis.size - max(-front, 0) - max(-back, 0), max(-back, 0))
    return total((Variable(max(front, 0)), pieces(axis, kept)[1], Variable(max(back, 0))))


def along_space(trace: Propagation, node: Node) -> Value:
    """`flip`, `roll`: what is moved along some axes keeps their order."""
    value, given = trace.value(node.args[0]), arguments(node)
    dims = given["dims"] or range(len(value.axes))
    trace.mix(value.axes, dims)
    for dim in dims:
        freeze(value.axes[dim], "moved along")
    return value


def constant(trace: Propagation, node: Node) -> Value:
    """`full`, `zeros`, ...: one number everywhere, so nothing is lost by any order."""
    return Value(tuple(Variable(size) for size in shape_of(node)))


def pixel_shuffle(trace: Propagation, node: Node) -> Value:
    """Channels x r x r become channels, each of r times as many rows and columns."""
    axes, factor = trace.axes(node.args[0]), arguments(node)["upscale_factor"]
    *lead, channels = axes[:-2]
    kept = Variable(channels.size // factor**2)
    unify(channels, product((kept, Variable(factor**2, "pixels of a channel"))))
    return Value((*lead, kept, *_pixels(axes[-2:], shape_of(node)[-2:])))


def pixel_unshuffle(trace: Propagation, node: Node) -> Value:
    """The inverse of `pixel_shuffle`."""
    axes, factor = trace.axes(node.args[0]), arguments(node)["downscale_factor"]
    *lead, channels = axes[:-2]
    wider = product((channels, Variable(factor**2, "pixels of a channel")))
    return Value((*lead, wider, *_pixels(axes[-2:], shape_of(node)[-2:])))


def _pixels(axes: Axes, shape: Sequence[int]) -> Axes:
    for axis in axes:
        freeze(axis, "pixels")
    return tuple(Variable(size, "pixels") for size in shape)


def channel_shuffle(trace: Propagation, node: Node) -> Value:
    """Groups x channels become channels x groups."""
    value, groups = trace.value(node.args[0]), arguments(node)["groups"]
    sizes = (groups, value.axes[1].size // groups)
    if math.prod(sizes) != value.axes[1].size:
        raise NotUnderstoodError("groups of unequal size")
    group, channel = reshaped((value.axes[1],), sizes)
    return with_axis(value, 1, product((channel, group)))


def reshaped(axes: Sequence[Variable], shape: Sequence[int]) -> Axes:
    """The axes of the same entries, in the same order, under another shape."""
    result: list[Variable] = []
    left, wanted = [axis for axis in axes if axis.size != 1], list(shape)
    while wanted:
        if wanted[0] == 1:
            result.append(Variable(wanted.pop(0)))
            continue
        old, new = [left.pop(0)], [wanted.pop(0)]
        while (short := math.prod(new) - math.prod(axis.size for axis in old)) != 0:
            if short > 0:
                old.append(left.pop(0))
            else:
                new.append(wanted.pop(0))
        result += _stretch(old, new)
    return tuple(result)


def _stretch(old: list[Variable], new: list[int]) -> list[Variable]:
    """The axes of one stretch that is reshaped by itself; frozen where the boundaries do not line up."""
    left, result = list(old), []
    for size in new:
        taken = take(left, size)
        if taken is None:
            for axis in old:
                freeze(axis, UNALIGNED)
            return [Variable(size, UNALIGNED) for size in new]
        result.append(product(taken))
    return result
