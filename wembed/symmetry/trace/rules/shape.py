"""Operators that only move entries: reshapes, transposes, cuts, concatenations."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import Axis, Sum, axis_size, parts_of
from wembed.symmetry.trace.carried import UNIT, Axes, Carried, Cell, Part, State, Weight, cells_of, flat
from wembed.symmetry.trace.flow import Flow, unknown
from wembed.symmetry.trace.sites import ZERO, Ref


def same(flow: Flow, node: Node) -> State:
    """The value as it is: clone, dropout, a change of dtype."""
    state = flow.state(node.args[0])
    if isinstance(flow.traced.values.get(node.name, ()), tuple) and _several(flow, node):
        return (state, *flow.plain(node)[1:]) if not isinstance(state, tuple) else state  # type: ignore[index]
    return state


def _several(flow: Flow, node: Node) -> bool:
    axes = flow.traced.values.get(node.name, ())
    return bool(axes) and isinstance(axes[0], tuple)


def zeros(flow: Flow, node: Node) -> State:
    """A value of zeros, which no factor changes."""
    axes = flow.axes(node)
    return Carried(axes, dict.fromkeys(cells_of(axes), ZERO))


def full(flow: Flow, node: Node) -> State:
    """A value of one number."""
    return zeros(flow, node) if node.args[1] == 0 else flow.plain(node)


def getitem(flow: Flow, node: Node) -> State:
    """One of several values."""
    state, index = flow.state(node.args[0]), node.args[1]
    return state[index] if isinstance(state, tuple) and isinstance(index, int) else unknown(flow, node)


def reshape(flow: Flow, node: Node) -> State:
    """The same entries in the same order under other axes."""
    state, axes = flow.state(node.args[0]), flow.axes(node)
    if isinstance(state, Weight):
        order = _units_moved(state.axes, axes)
        if order is not None:
            return _with_units(state, axes, order)
    value = flow.carried(node.args[0])
    by_choice = {flat(cell): ref for cell, ref in value.refs.items()}
    refs = {cell: by_choice[flat(cell)] for cell in cells_of(axes) if flat(cell) in by_choice}
    lost = set(by_choice) - {flat(cell) for cell in refs}
    for choice in lost:
        flow.sites.limit(by_choice[choice], "none")
    convex = len(axes) - 1 if value.convex == len(value.axes) - 1 and axes[-1:] == value.axes[-1:] else -1
    return Carried(axes, refs, convex)


def _units_moved(old: Axes, new: Axes) -> list[int] | None:
    """For each new axis the old one that it is, -1 for one of size 1, where nothing but these came or went."""
    kept = [i for i, axis in enumerate(old) if axis != UNIT]
    if [old[i] for i in kept] != [axis for axis in new if axis != UNIT]:
        return None
    left = iter(kept)
    return [-1 if axis == UNIT else next(left) for axis in new]


def _with_units(weight: Weight, axes: Axes, order: list[int]) -> Weight:
    places = tuple(-1 if i < 0 else weight.places[i] for i in order)
    unit: Mapping[Part, Part] = {(): ()}
    parts = tuple(unit if i < 0 else weight.parts[i] for i in order)
    return Weight(weight.tensor, axes, places, parts)


def permute(flow: Flow, node: Node) -> State:
    """The axes in another order."""
    state, name = flow.state(node.args[0]), str(node.target)
    rank = len(flow.axes(node))
    order: list[int] = list(range(rank))
    if "transpose" in name:
        first, second = (int(d) % rank for d in node.args[1:3])  # type: ignore[arg-type]
        order[first], order[second] = order[second], order[first]
    elif "permute" in name:
        order = [int(d) % rank for d in node.args[1]]  # type: ignore[union-attr,arg-type]
    else:
        order = order[::-1]
    if isinstance(state, Weight):
        return state.at(tuple(order))
    value = flow.carried(node.args[0])
    refs = {tuple(cell[i] for i in order): ref for cell, ref in value.refs.items()}
    return Carried(flow.axes(node), refs, order.index(value.convex) if value.convex >= 0 else -1)


def expand(flow: Flow, node: Node) -> State:
    """Axes of size 1 repeated."""
    state, axes = flow.state(node.args[0]), flow.axes(node)
    if isinstance(state, Weight) and state.axes == axes:
        return state
    value = flow.carried(node.args[0])
    added = len(axes) - len(value.axes)
    refs = {}
    for cell in cells_of(axes):
        inner = _unexpanded(value.axes, axes[added:], cell[added:])
        if inner in value.refs:
            refs[cell] = value.refs[inner]
    return Carried(axes, refs, value.convex + added if value.convex >= 0 else -1)


def _unexpanded(old: Axes, new: Axes, cell: Cell) -> Cell:
    return tuple(part if before == after else () for before, after, part in zip(old, new, cell, strict=True))


def slices(flow: Flow, node: Node) -> State:
    """`slice`: some terms of a sum, or a stretch of an axis that carries nothing of its own."""
    axis = _dimension(node, 1, flow)
    size = _sizes(flow, node.args[0])[axis]
    start, stop = _bound(node, 2, 0, size), _bound(node, 3, size, size)
    step = node.args[4] if len(node.args) > 4 else 1
    return _cut(flow, node, flow.axes(node), axis, start, stop if step == 1 else -1)


def narrow(flow: Flow, node: Node) -> State:
    """`narrow`: the same, by start and length."""
    start, length = int(node.args[2]), int(node.args[3])  # type: ignore[arg-type]
    return _cut(flow, node, flow.axes(node), _dimension(node, 1, flow), start, start + length)


def split(flow: Flow, node: Node) -> State:
    """`split`, `split_with_sizes`, `chunk`: all stretches of an axis."""
    axis = _dimension(node, 2, flow)
    pieces: list[Carried | Weight] = []
    start = 0
    for axes in flow.traced.values[node.name]:
        stop = start + axis_size(axes[axis], flow.traced.sizes)  # type: ignore[index]
        piece = _cut(flow, node, axes, axis, start, stop)  # type: ignore[arg-type]
        if isinstance(piece, tuple):
            return unknown(flow, node)
        pieces.append(piece)
        start = stop
    return tuple(pieces)


def _cut(flow: Flow, node: Node, axes: Axes, axis: int, start: int, stop: int) -> State:
    state = flow.state(node.args[0])
    if isinstance(state, tuple):
        return unknown(flow, node)
    old = state.axes[axis]
    if start == stop:
        return Carried(axes, {})
    numbers = _terms_between(old, start, stop, flow)
    if numbers is None and axes[axis] == old:
        numbers = list(range(len(old.terms))) if isinstance(old, Sum) else [0]
    if numbers is None:
        return _cut_across(flow, node, axes, axis)
    renamed = _renamed(old, axes[axis], numbers)
    if isinstance(state, Weight):
        parts = {new: state.parts[axis][before] for new, before in renamed.items()}
        every = (*state.parts[:axis], parts, *state.parts[axis + 1 :])
        return Weight(state.tensor, axes, state.places, every)
    refs = {}
    for cell in cells_of(axes):
        before = (*cell[:axis], renamed[cell[axis]], *cell[axis + 1 :])
        if before in state.refs:
            refs[cell] = state.refs[before]
    return Carried(axes, refs)


def _cut_across(flow: Flow, node: Node, axes: Axes, axis: int) -> State:
    """A stretch of an axis that is no sum: harmless where the site does not lie along it."""
    value = flow.carried(node.args[0])
    refs: dict[Cell, Ref] = {}
    for cell, ref in value.refs.items():
        after = (*cell[:axis], (), *cell[axis + 1 :])
        if after in cells_of(axes):
            refs[after] = flow.sites.join(refs[after], ref) if after in refs else ref
        else:
            flow.sites.limit(ref, "none")
    return Carried(axes, refs)


def _terms_between(axis: Axis, start: int, stop: int, flow: Flow) -> list[int] | None:
    """The numbers of a sum's terms that make up a stretch exactly."""
    if not isinstance(axis, Sum):
        return [0] if (start, stop) == (0, axis_size(axis, flow.traced.sizes)) else None
    ends = list(accumulate((axis_size(term, flow.traced.sizes) for term in axis.terms), initial=0))
    if start not in ends or stop not in ends:
        return None
    return list(range(ends.index(start), ends.index(stop)))


def _renamed(old: Axis, new: Axis, numbers: list[int]) -> dict[Part, Part]:
    """Part of the stretch -> part of the whole axis."""
    if not isinstance(old, Sum):
        return {part: part for part in parts_of(new)}
    if len(numbers) == 1:
        return {part: (numbers[0], *part) for part in parts_of(new)}
    return {part: (numbers[part[0]], *part[1:]) for part in parts_of(new)}


def cat(flow: Flow, node: Node) -> State:
    """Values one after the other along an axis."""
    axes, inputs = flow.axes(node), list(node.args[0])  # type: ignore[arg-type]
    axis = int(node.args[1]) % len(axes) if len(node.args) > 1 else 0  # type: ignore[arg-type]
    refs: dict[Cell, Ref] = {}
    number = 0
    for item in inputs:
        value = flow.carried(item)
        if len(value.axes) != len(axes) or axis_size(value.axes[axis], flow.traced.sizes) == 0:
            continue  # an empty tensor
        own = value.axes[axis]
        terms = len(own.terms) if isinstance(own, Sum) else 1
        for cell, ref in value.refs.items():
            part = cell[axis]
            moved = (number + part[0], *part[1:]) if isinstance(own, Sum) else (number, *part)
            refs[(*cell[:axis], moved, *cell[axis + 1 :])] = ref
        number += terms
    if axis < len(axes) - 1 or len(refs) < len(cells_of(axes)) or ZERO in refs.values():
        for ref in refs.values():
            flow.sites.skew(ref)
    return _kept(flow, axes, refs)


def _kept(flow: Flow, axes: Axes, refs: dict[Cell, Ref]) -> Carried:
    """A value of the cells that its axes have; what carries another is fixed."""
    known = set(cells_of(axes))
    for cell, ref in refs.items():
        if cell not in known:
            flow.sites.limit(ref, "none")
    return Carried(axes, {cell: ref for cell, ref in refs.items() if cell in known})


def pad(flow: Flow, node: Node) -> State:
    """`constant_pad_nd`, `pad`: zeros around; a padded channel axis is a sum of zeros, channels, zeros."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    if any(extra not in (None, 0, 0.0, "constant") for extra in (*node.args[2:], *node.kwargs.values())):
        return unknown(flow, node)
    refs = {}
    for cell in cells_of(axes):
        inner = _unpadded(value.axes, axes, cell)
        if inner is None:
            refs[cell] = ZERO
        elif inner in value.refs:
            refs[cell] = value.refs[inner]
    for cell in set(value.refs) - {_unpadded(value.axes, axes, cell) for cell in cells_of(axes)}:
        flow.sites.limit(value.refs[cell], "none")
    return Carried(axes, refs)


def _unpadded(old: Axes, new: Axes, cell: Cell) -> Cell | None:
    """The cell of the value that was padded, or None where there are only zeros."""
    inner = []
    for before, after, part in zip(old, new, cell, strict=True):
        if before == after or not isinstance(after, Sum):
            inner.append(part if before == after else ())
            continue
        terms = before.terms if isinstance(before, Sum) else (before,)
        first = next((i for i in range(len(after.terms)) if after.terms[i : i + len(terms)] == terms), None)
        if first is None or not first <= part[0] < first + len(terms):
            return None
        inner.append((part[0] - first, *part[1:]) if isinstance(before, Sum) else part[1:])
    return tuple(inner)


def select(flow: Flow, node: Node) -> State:
    """One index of an axis that no site lies along."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    axis = int(node.args[1]) % len(value.axes)  # type: ignore[arg-type]
    return _without(flow, value, axes, axis)


def unbind(flow: Flow, node: Node) -> State:
    """Every index of such an axis."""
    value = flow.carried(node.args[0])
    axis = int(node.args[1]) % len(value.axes) if len(node.args) > 1 else 0  # type: ignore[arg-type]
    return tuple(_without(flow, value, axes, axis) for axes in flow.traced.values[node.name])  # type: ignore[arg-type]


def _without(flow: Flow, value: Carried, axes: Axes, axis: int) -> Carried:
    refs: dict[Cell, Ref] = {}
    for cell, ref in value.refs.items():
        after = (*cell[:axis], *cell[axis + 1 :])
        refs[after] = flow.sites.join(refs[after], ref) if after in refs else ref
    return _kept(flow, axes, refs)


def _dimension(node: Node, place: int, flow: Flow) -> int:
    value = node.args[place] if len(node.args) > place else node.kwargs.get("dim", 0)
    return int(value) % len(_sizes(flow, node.args[0]))  # type: ignore[arg-type]


def _sizes(flow: Flow, argument: Any) -> list[int]:  # an operator's argument
    return list(argument.meta["val"].shape)


def _bound(node: Node, place: int, default: int, size: int) -> int:
    value = node.args[place] if len(node.args) > place else None
    if not isinstance(value, int):
        return default
    return max(value + size, 0) if value < 0 else min(value, size)
