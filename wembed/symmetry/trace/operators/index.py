"""Operators with indices: what chooses entries by number, and where such numbers come from.

Entries that are indices of an axis (a topk over experts) are relabelled when that axis is permuted. As long as they are
only moved, compared with each other, or used to index that same axis, nothing is lost; the propagation freezes the axis
wherever anything else is done with them.
"""

from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, is_frozen, mark, unify
from wembed.symmetry.trace.operators.pointwise import broadcast, pointwise, reduction
from wembed.symmetry.trace.propagation import Chosen, Outcome, Propagation, Value, arguments, shape_of

CHOSEN, RANKED = "chosen by number", "sorted"


def arange(trace: Propagation, node: Node) -> Value:
    """All numbers of an axis, which are relabelled as it is permuted: 0, 1, 2, ... ."""
    given = arguments(node)
    axis = Variable(shape_of(node)[0])
    if given.get("start", 0) != 0 or given.get("step", 1) != 1 or node.meta["val"].is_floating_point():
        freeze(axis, "numbers in order")
        return Value((axis,))
    return Value((axis,), axis)


def top(trace: Propagation, node: Node) -> Outcome:
    """`topk`, `sort`, `max` along an axis: values by rank, and which indices they had."""
    source, given = trace.axes(node.args[0]), arguments(node)
    dim = given["dim"] % len(source)
    values, _ = node.meta["val"]
    trace.mix(source, [dim])
    ranked = () if values.dim() < len(source) else (Variable(int(values.shape[dim]), RANKED),)
    axes = (*source[:dim], *ranked, *source[dim + 1 :])
    return (Value(axes), Value(axes, source[dim]))


def largest(trace: Propagation, node: Node) -> Outcome:
    """`max`, `min`: along an axis, of two values, or of all entries."""
    given = arguments(node)
    if "dim" in given:
        return top(trace, node)
    return pointwise(trace, node) if "other" in given else reduction(trace, node)


def which(trace: Propagation, node: Node) -> Value:
    """`argmax`, `argmin` along one axis."""
    source, given = trace.axes(node.args[0]), arguments(node)
    if given["dim"] is None:
        raise NotUnderstoodError("the largest of all axes")
    dim = given["dim"] % len(source)
    trace.mix(source, [dim])
    kept = (Variable(1),) if given["keepdim"] else ()
    return Value((*source[:dim], *kept, *source[dim + 1 :]), source[dim])


def compare(trace: Propagation, node: Node) -> Value:
    """`eq`, `ne`: two sets of indices of one axis are compared as well before as after."""
    values = [trace.value(argument) for argument in node.all_input_nodes]
    entries = [value.entries for value in values if value.entries is not None]
    if len(entries) == 2 and entries[0].size == entries[1].size:
        unify(*entries)
    else:
        for axis in entries:
            freeze(axis, CHOSEN)
    return Value(broadcast([value.axes for value in values], shape_of(node)))


def one_hot(trace: Propagation, node: Node) -> Value:
    """Indices become an axis of their own."""
    value = trace.value(node.args[0])
    size = shape_of(node)[-1]
    axis = Variable(size, "" if value.entries is not None and value.entries.size == size else CHOSEN)
    _index(axis, value)
    return Value((*value.axes, axis))


def gather(trace: Propagation, node: Node) -> Value:
    """Along one axis the entries whose indices are given, place by place."""
    given = arguments(node)
    source, index = trace.axes(given["self"]), trace.value(given["index"])
    trace.mix(source, [given["dim"]])
    _beside(source, index.axes, given["dim"])
    _index(source[given["dim"]], index)
    return Value(index.axes)


def scatter(trace: Propagation, node: Node) -> Value:
    """Along one axis entries are put where the indices say."""
    given = arguments(node)
    target, index = trace.axes(given["self"]), trace.value(given["index"])
    trace.mix(target, [given["dim"]])
    _beside(target, index.axes, given["dim"])
    _index(target[given["dim"]], index)
    if isinstance(given.get("src"), Node):
        for axis, own in zip(index.axes, trace.axes(given["src"]), strict=True):
            _alike(axis, own)
    return Value(target)


def _beside(axes: Axes, index: Axes, dim: int) -> None:
    for place, (axis, own) in enumerate(zip(axes, index, strict=True)):
        if place != dim % len(axes):
            _alike(axis, own)


def _alike(axis: Variable, own: Variable) -> None:
    """Axes that meet place by place; where one is longer only its first places are met."""
    if axis.size == own.size:
        unify(axis, own)
    else:
        freeze(axis, CHOSEN)
        freeze(own, CHOSEN)


def index_select(trace: Propagation, node: Node) -> Value:
    """Some indices of one axis."""
    given = arguments(node)
    axes, index = trace.axes(given["self"]), trace.value(given["index"])
    dim = given["dim"] % len(axes)
    trace.mix(axes, [dim])
    _index(axes[dim], index)
    chosen = index.axes or (Variable(1),)
    return Value((*axes[:dim], *chosen, *axes[dim + 1 :]))


def index(trace: Propagation, node: Node) -> Value:
    """`x[a, :, b]`: indices side by side, broadcast, in the place of the axes that they index."""
    given = arguments(node)
    axes, chosen = trace.axes(given["self"]), given["indices"]
    places = [place for place, item in enumerate(chosen) if item is not None]
    values = [trace.value(chosen[place]) for place in places]
    if any(not _is_integer(chosen[place]) for place in places):
        raise NotUnderstoodError("an index by truth values")
    linked = len(places) == 1 and values[0].entries is not None and values[0].entries.size == axes[places[0]].size
    if not linked:
        trace.mix(axes, places)
    for place, value in zip(places, values, strict=True):
        _index(axes[place], value)
    kept = [axis for place, axis in enumerate(axes) if place not in places]
    met = _broadcast([value.axes for value in values])
    first = places[0] if places == list(range(places[0], places[-1] + 1)) else 0
    chosen = Chosen(chosen[places[0]], values[0].axes, axes[places[0]]) if linked else None
    if linked and trace.is_parameter(given["self"]) and len(axes) > 2:
        mark(axes[places[0]], "expert")
    return Value((*kept[:first], *met, *kept[first:]), chosen=chosen)


def _broadcast(inputs: list[Axes]) -> Axes:
    rank = max(len(axes) for axes in inputs)
    shape = [max(axes[place].size for axes in inputs if -place <= len(axes)) for place in range(-rank, 0)]
    return broadcast(inputs, shape)


def _index(axis: Variable, index: Value) -> None:
    """An axis is indexed: by indices of its own, or by numbers that mean something else."""
    if index.entries is not None and index.entries.size == axis.size:
        unify(axis, index.entries)
    elif axis.size > 1 and not is_frozen(axis):
        freeze(axis, CHOSEN)
    if index.entries is not None and index.entries.size != axis.size:
        freeze(index.entries, CHOSEN)


def _is_integer(argument: Any) -> bool:  # an operator's argument
    value = argument.meta["val"]
    return not value.is_floating_point() and str(value.dtype) != "torch.bool"
