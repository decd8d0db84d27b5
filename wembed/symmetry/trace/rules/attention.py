"""Products of two values, and the softmax averages that attention makes of them."""

from collections.abc import Sequence
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms, parts_of
from wembed.symmetry.trace.carried import UNIT, Carried, Cell, Part, State, cells_of
from wembed.symmetry.trace.flow import Flow, operator_name
from wembed.symmetry.trace.sites import ZERO, Ref


def attention(flow: Flow, node: Node) -> State:
    """softmax(q k^T) v, for each head; grouped queries share their keys and values."""
    q, k, v = (flow.carried(argument) for argument in node.args[:3])
    for argument in (*node.args[3:], *node.kwargs.values()):
        if isinstance(argument, Node):
            flow.fix(argument)
    scores = "scores" if _is_uniform(k, len(k.axes) - 2) else "bilinear"
    averages = "attention" if _is_uniform(v, len(v.axes) - 2) else "bilinear"
    _cancel(flow, q, len(q.axes) - 1, k, len(k.axes) - 1, scores)
    for value in (q, k):
        _fix_beside(flow, value)
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        found = [ref for inner, ref in v.refs.items() if inner[-1] == cell[-1]]
        if found:
            refs[cell] = _joined(flow, found)
            if not _is_full(v, len(v.axes) - 1, cell[-1]):
                flow.sites.limit(refs[cell], "none")
            _average(flow, refs[cell], averages, part_atoms(axes[-1], cell[-1]))
    return Carried(axes, refs)


def multiplied_values(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """The product of two values, matrix by matrix: their factors must cancel along what is summed over."""
    label = "scores" if _is_uniform(y, len(y.axes) - 1) and _feeds_softmax(node) else "bilinear"
    _cancel(flow, x, len(x.axes) - 1, y, len(y.axes) - 2, label)
    return _mixed(flow, node, x, y)


def _average(flow: Flow, ref: Ref, label: str, atoms: Sequence[str]) -> None:
    """Note that a head's values are averaged: a matrix may mix them, a factor alone where there is one value."""
    if ref != ZERO:
        flow.sites.activate(ref, label)
        if not atoms:
            flow.sites.limit(ref, "real")


def _cancel(flow: Flow, x: Carried, axis: int, y: Carried, other: int, label: str) -> None:
    for part in parts_of(x.axes[axis]):
        atoms = set(part_atoms(x.axes[axis], part))
        left = _touched(flow, x, axis, part, atoms)
        right = _touched(flow, y, other, part, atoms)
        if left and right:
            query, key = _joined(flow, left), _joined(flow, right)
            if ZERO in (query, key):
                continue
            flow.sites.join(query, key.inverse)
            if not (_is_full(x, axis, part) and _is_full(y, other, part)):
                flow.sites.limit(query, "none")
            flow.sites.activate(query, label)
            if label == "scores":
                flow.sites.turn_key(key)
        for ref in (*left, *right) if not (left and right) else ():
            flow.sites.limit(ref, "none")


def _is_full(value: Carried, axis: int, part: Part) -> bool:
    """Whether all cells of a part have a site: what has none takes no factor."""
    return all(cell in value.refs for cell in cells_of(value.axes) if cell[axis] == part)


def _touched(flow: Flow, value: Carried, axis: int, part: Part, atoms: set[str]) -> list[Ref]:
    """The sites of the cells of a part that lie along it."""
    refs = [ref for cell, ref in value.refs.items() if cell[axis] == part]
    return [ref for ref in refs if ref == ZERO or atoms & flow.sites.spread(ref)]


def _joined(flow: Flow, refs: list[Ref]) -> Ref:
    found = refs[0]
    for ref in refs[1:]:
        found = flow.sites.join(found, ref)
    return found


def _fix_beside(flow: Flow, value: Carried) -> None:
    """Fix what does not lie along the last axis: a factor of a whole query would change its scores."""
    for cell, ref in value.refs.items():
        if ref != ZERO and not set(part_atoms(value.axes[-1], cell[-1])) & flow.sites.spread(ref):
            flow.sites.limit(ref, "none")


def _is_uniform(value: Carried, axis: int) -> bool:
    """Whether all parts of an axis (positions) carry the same, written by the same layers."""
    refs: dict[Cell, set[Ref | None]] = {}
    for cell in cells_of(value.axes):
        refs.setdefault((*cell[:axis], *cell[axis + 1 :]), set()).add(value.refs.get(cell))
    return all(len(found) == 1 for found in refs.values())


def _mixed(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """What a product of two values carries along the axes that were not summed over."""
    axes = flow.axes(node)
    label = "attention" if x.convex == len(x.axes) - 1 and _is_uniform(y, len(y.axes) - 2) else "bilinear"
    summed = set().union(*(part_atoms(x.axes[-1], part) for part in parts_of(x.axes[-1])))
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left = _through(flow, x, axes, cell, -1, summed, cell[-2])
        right = _through(flow, y, axes, cell, -2, summed, cell[-1])
        ref = _one_of(flow, left, right)
        if ref is not None:
            refs[cell] = ref
            _average(flow, ref, label, part_atoms(axes[-1], cell[-1]))
    return Carried(axes, refs)


def _through(
    flow: Flow, value: Carried, axes: Sequence[Any], cell: Cell, axis: int, summed: set[str], free: Part
) -> Ref | None:
    """The site of a factor of a product that does not lie along what is summed over."""
    found: Ref | None = None
    batch = len(value.axes) - 2
    lead = cell[len(cell) - 2 - batch : -2] if batch else ()
    inner = tuple(part if axis_ != UNIT else () for axis_, part in zip(value.axes[:-2], lead, strict=True))
    refs = []
    for part in parts_of(value.axes[axis]):
        key = (*inner, free, part) if axis == -1 else (*inner, part, free)
        refs.append(value.refs.get(key))
    carried = [ref for ref in refs if ref is not None and ref != ZERO and not summed & flow.sites.spread(ref)]
    for ref in carried:
        found = ref if found is None else flow.sites.join(found, ref)
    if found is not None and len(carried) < len([ref for ref in refs if ref != ZERO]):
        flow.sites.limit(found, "none")
    return found


def _one_of(flow: Flow, left: Ref | None, right: Ref | None) -> Ref | None:
    if left is not None and right is not None:
        flow.sites.limit(left, "none")
        flow.sites.limit(right, "none")
    return right if right is not None else left


_KEEPS_SCORES = frozenset(("add", "sub", "clone", "to", "_to_copy", "alias", "dropout"))
_HIDDEN = -1e4  # scores from here down have no weight behind a softmax


def _feeds_softmax(node: Node) -> bool:
    """Whether scores go nowhere but into a softmax over their last axis, with what is added to them on the way."""
    return bool(node.users) and all(_leads_to_softmax(node, user) for user in node.users)


def _leads_to_softmax(node: Node, user: Node) -> bool:
    name, keys = operator_name(user), node.meta["val"].shape[-1:]
    if name in ("softmax", "_softmax", "_safe_softmax"):
        rank = len(node.meta["val"].shape)
        return int(user.args[1]) % rank == rank - 1  # type: ignore[arg-type]
    is_scalar = name in ("mul", "div") and all(
        not isinstance(other, Node) or not other.meta["val"].shape for other in user.args if other is not node
    )
    fills = [other for other in user.args[2 if name == "masked_fill" else 1 :] if other is not node]
    is_masked = name in ("where", "masked_fill") and all(map(_is_low, fills))
    is_moved = name in ("view", "reshape", "_unsafe_view", "unsqueeze") and user.meta["val"].shape[-1:] == keys
    return (name in _KEEPS_SCORES or is_scalar or is_masked or is_moved) and _feeds_softmax(user)


def _is_low(fill: Any) -> bool:  # an operator's argument
    """Whether masked scores are filled with next to minus infinity."""
    if isinstance(fill, Node):
        return operator_name(fill) in ("full", "full_like", "scalar_tensor") and any(
            isinstance(number, int | float) and number <= _HIDDEN for number in fill.args[:2]
        )
    return isinstance(fill, int | float) and fill <= _HIDDEN
