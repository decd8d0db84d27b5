"""Fused projections in a graph: a reshape that makes an axis of parts (q, k, v) becomes one slice for each part.

`x.view(.., 3, heads, d)` followed by `unbind` or `[0]`, `[1]`, `[2]` says that x is three pieces, but as a product of
axes it would tie their heads and dims together. Cut first and reshaped then, every piece keeps axes of its own.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, Node

from wembed.symmetry.trace.propagation import operator_name

aten = torch.ops.aten

_VIEWS = frozenset(("view", "_unsafe_view", "reshape"))
_COPIES = frozenset(("clone", "contiguous", "alias", "detach", "_to_copy", "to"))
_UNITS = frozenset(("squeeze", "unsqueeze"))
_MOST_PARTS = 16  # of one projection


@dataclass(frozen=True)
class _Fused:
    """A reshape whose axis `dim` is only taken apart.

    Args:
        node: the reshape.
        shape: that it makes.
        dim: the axis of parts.
        end: behind the axes that one part is made of.
    """

    node: Node
    shape: tuple[int, ...]
    dim: int
    end: int


def unfuse(graph: Graph) -> None:
    """Rewrite all fused projections of a graph, in place."""
    for node in list(graph.nodes):
        found = next(_fused(node), None)
        if found is not None:
            for part in range(found.shape[found.dim]):
                _replace(node, found.dim, part, _cut(graph, found, part))
            _erase(graph, node)


def _fused(node: Node) -> Iterator[_Fused]:
    if operator_name(node) not in _VIEWS:
        return
    shape = tuple(node.meta["val"].shape)
    source = tuple(_source(node).meta["val"].shape)
    bounds = set(_bounds(source))
    for dim in range(len(shape)):
        end = next((e for e in range(dim + 1, len(shape) + 1) if math.prod(shape[:e]) in bounds), len(shape))
        rest = math.prod(shape[dim + 1 : end])
        if 1 < shape[dim] <= _MOST_PARTS and rest > 1 and _is_taken_apart(node, dim):
            yield _Fused(node, shape, dim, end)


def _bounds(shape: Sequence[int]) -> Iterator[int]:
    """Where one axis ends and the next one begins, as products of sizes."""
    return (math.prod(shape[:end]) for end in range(len(shape) + 1))


def _is_taken_apart(node: Node, dim: int) -> bool:
    """Whether single indices are all that is ever taken of an axis, after transposes perhaps."""
    return bool(node.users) and all(_user_takes_apart(user, dim) for user in node.users)


def _user_takes_apart(user: Node, dim: int) -> bool:
    name = operator_name(user)
    if name == "unbind":
        own = _argument(user, 1, 0) % _rank(user)
        return own == dim and all(operator_name(item) == "getitem" for item in user.users)
    if name == "select":
        return _argument(user, 1, 0) % _rank(user) == dim
    moved = _moved(user, dim)
    return moved is not None and _is_taken_apart(user, moved)


def _moved(user: Node, dim: int) -> int | None:
    """Where an axis stands after a transpose, a copy, or axes of size 1 that come or go; None after anything else."""
    name = operator_name(user)
    if name in _COPIES:
        return dim
    if name in _UNITS:
        wide = [place for place, size in enumerate(_source(user).meta["val"].shape) if size != 1]
        after = [place for place, size in enumerate(user.meta["val"].shape) if size != 1]
        return after[wide.index(dim)]
    order = _order(user)
    return None if order is None else order.index(dim)


def _rank(user: Node) -> int:
    return len(_source(user).meta["val"].shape)


def _source(node: Node) -> Node:
    source = node.args[0]
    if not isinstance(source, Node):
        raise TypeError(f"{node} is not made from a tensor")
    return source


def _argument(node: Node, place: int, default: int) -> int:
    value: Any = node.args[place] if len(node.args) > place else node.kwargs.get("dim", default)
    return int(value)


def _order(node: Node) -> list[int] | None:
    """The order in which a transpose puts the axes, None for any other operator."""
    name = operator_name(node)
    if name not in ("permute", "transpose"):
        return None
    rank, arguments = node.meta["val"].dim(), list[Any](node.args)
    if name == "permute":
        return [int(dim) % rank for dim in arguments[1]]
    order = list(range(rank))
    first, second = (int(dim) % rank for dim in arguments[1:3])
    order[first], order[second] = second, first
    return order


def _cut(graph: Graph, fused: _Fused, part: int) -> Node:
    """One part of a fused projection, without the axis of parts."""
    shape, dim, end = fused.shape, fused.dim, fused.end
    size = math.prod(shape[dim + 1 : end])
    together = (*shape[:dim], shape[dim] * size, *shape[end:])
    with graph.inserting_before(fused.node):
        flat = _call(graph, aten.view.default, fused.node.args[0], list(together))
        piece = _call(graph, aten.slice.Tensor, flat, dim, part * size, (part + 1) * size)
        return _call(graph, aten.view.default, piece, [*shape[:dim], *shape[dim + 1 :]])


def _replace(node: Node, dim: int, part: int, piece: Node) -> None:
    """Let all that uses one index of an axis use a piece instead."""
    for user in list(node.users):
        name = operator_name(user)
        if name == "unbind":
            _replace_items(user, part, piece)
        elif name == "select":
            if _argument(user, 2, 0) % node.meta["val"].shape[dim] == part:
                user.replace_all_uses_with(piece)
        else:
            _replace_moved(user, dim, part, piece)


def _replace_moved(user: Node, dim: int, part: int, piece: Node) -> None:
    """Move a piece as the whole is moved, and go on from there."""
    moved, order = _moved(user, dim), _order(user)
    if moved is None:
        raise ValueError(f"{user} does not move an axis")
    with user.graph.inserting_before(user):
        if order is not None:
            kept = [own - (own > dim) for own in order if own != dim]
            new = _call(user.graph, aten.permute.default, piece, kept)
        elif operator_name(user) in _UNITS:
            shape = list(user.meta["val"].shape)
            new = _call(user.graph, aten.view.default, piece, shape[:moved] + shape[moved + 1 :])
        else:
            new = _call(user.graph, user.target, piece, *user.args[1:], **user.kwargs)
    _replace(user, moved, part, new)


def _replace_items(unbind: Node, part: int, piece: Node) -> None:
    for item in list(unbind.users):
        if item.args[1] == part:
            item.replace_all_uses_with(piece)


def _call(graph: Graph, target: Any, *args: Any, **kwargs: Any) -> Node:  # an operator and its arguments
    """A new node whose shape is known."""
    node = graph.call_function(target, args, kwargs)
    values = [argument.meta["val"] if isinstance(argument, Node) else argument for argument in args]
    node.meta["val"] = target(*values, **kwargs)
    return node


def _erase(graph: Graph, node: Node) -> None:
    """Remove a node and what used it, all of which nothing uses any more."""
    for user in list(node.users):
        _erase(graph, user)
    graph.erase_node(node)
