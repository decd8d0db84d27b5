"""Operators along axes that no site lies along: reductions, pooling, resizing, rolling, repeating."""

import re
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms
from wembed.symmetry.trace.carried import Axes, Carried, Cell, State, cells_of
from wembed.symmetry.trace.flow import Flow, operator_name, unknown
from wembed.symmetry.trace.sites import ZERO, Ref


def reduce(flow: Flow, node: Node) -> State:
    """`mean` and `sum` over some axes: linear, where no site lies along them."""
    value = flow.carried(node.args[0])
    if operator_name(node).startswith("ama") or operator_name(node).startswith("max"):
        for ref in value.refs.values():
            flow.sites.activate(ref, "max_pool")
    rank = len(value.axes)
    given: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    dims = {int(d) % rank for d in ([given] if isinstance(given, int) else given or range(rank))}
    axes = flow.axes(node)
    kept = len(axes) == rank
    refs: dict[Cell, Ref] = {}
    for cell, ref in value.refs.items():
        after = tuple(() if i in dims else part for i, part in enumerate(cell) if kept or i not in dims)
        lost = {atom for i in dims for atom in part_atoms(value.axes[i], cell[i])}
        if ref != ZERO and lost & flow.sites.spread(ref):
            flow.sites.restrict(ref, set(flow.sites.atoms(ref)) - lost - flow.sites.chosen(ref))
        if ref != ZERO and lost & set(flow.sites.own_atoms(ref)):
            flow.sites.limit(ref, "none")
            continue
        refs[after] = flow.sites.join(refs[after], ref) if after in refs else ref
    for ref in refs.values():
        flow.sites.skew(ref)
    return Carried(axes, refs)


def repeated(flow: Flow, node: Node) -> State:
    """`repeat_interleave`, `repeat`: what lies along the repeated axis still does, if pass 1 says so."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    if len(value.axes) != len(axes):
        return unknown(flow, node)
    known = set(cells_of(axes))
    for cell, ref in value.refs.items():
        if cell not in known:
            flow.sites.limit(ref, "none")
    return Carried(axes, {cell: ref for cell, ref in value.refs.items() if cell in known})


def over_space(flow: Flow, node: Node) -> State:
    """Pooling by averages, resizing, rolling, padding by reflection: linear along axes that no site lies along."""
    value, axes = flow.carried(node.args[0]), flow.axes(node)
    for ref in value.refs.values():
        flow.sites.skew(ref)
    return Carried(axes, _beside(flow, value, axes, _dims(node, len(value.axes))))


def max_pool(flow: Flow, node: Node) -> State:
    """The largest value nearby."""
    value, axes = flow.carried(node.args[0]), flow.traced.values[node.name]
    for ref in value.refs.values():
        flow.sites.activate(ref, "max_pool")
    several = bool(axes) and isinstance(axes[0], tuple)
    first: Axes = axes[0] if several else axes  # type: ignore[assignment]
    pooled = Carried(first, _beside(flow, value, first, _dims(node, len(value.axes))))
    return (pooled, *flow.plain(node)[1:]) if several else pooled  # type: ignore[index]


def _dims(node: Node, rank: int) -> set[int]:
    """The axes along which an operator mixes positions."""
    name = operator_name(node)
    if name == "roll":
        given: Any = node.args[2] if len(node.args) > 2 else range(rank)
        return {int(d) % rank for d in ([given] if isinstance(given, int) else given)}
    if "pad" in name:
        return set(range(rank - len(node.args[1]) // 2, rank))  # type: ignore[arg-type]
    return set(range(rank - next(int(mark[0]) for mark in re.findall(r"\dd", name)), rank))


def _beside(flow: Flow, value: Carried, axes: Axes, dims: set[int]) -> dict[Cell, Ref]:
    """The cells of a value whose sites do not lie along some axes; the others are fixed."""
    known = set(cells_of(axes))
    refs = {}
    for cell, ref in value.refs.items():
        mixed = {atom for d in dims for atom in part_atoms(value.axes[d], cell[d])}
        if ref != ZERO and mixed & flow.sites.spread(ref):
            flow.sites.limit(ref, "none")
        after = tuple(() if d in dims else part for d, part in enumerate(cell))
        if cell in known or after in known:
            refs[cell if cell in known else after] = ref
        else:
            flow.sites.limit(ref, "none")
    return refs
