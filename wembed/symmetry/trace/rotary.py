"""Rotary position embeddings, recognised in the graph: x cos + rotate_half(x) sin, halves side by side.

Queries and keys are turned in planes (i, i + d/2) by angles that depend on the position. A rotation and a scale of one
plane commute with that, so the two halves share one complex factor.
"""

from collections.abc import Mapping
from typing import Any

from torch.fx import Graph, Node

from wembed.symmetry.trace.carried import Carried, State
from wembed.symmetry.trace.flow import Flow, Rule, operator_name
from wembed.symmetry.trace.rules.pointwise import add
from wembed.symmetry.trace.sites import ZERO

_PASSED = ("unsqueeze", "to", "_to_copy", "clone", "expand", "slice", "transpose", "view", "contiguous", "alias")


def rotary_rules(graph: Graph) -> Mapping[Node, Rule]:
    """The nodes of all rotary embeddings that are understood, each with the rule that replaces its operator's."""
    found: dict[Node, Rule] = {}
    for node in graph.nodes:
        if node.op == "call_function" and operator_name(node) == "add":
            found |= _match(node)
    return found


def _match(node: Node) -> dict[Node, Rule]:
    products = [_factors(argument) for argument in node.args[:2]]
    for plain, turned in (products, products[::-1]):
        for value, cosine in plain:
            for half, sine in turned:
                if _is_turned(half, value) and _angles(cosine, "cos") == _angles(sine, "sin") is not None:
                    first, second = node.args[:2] if products[0] is plain else node.args[1::-1]
                    return {first: _keep(value), second: _keep(half), node: _turned}  # type: ignore[dict-item]
    return {}


def _factors(argument: Any) -> list[tuple[Node, Node]]:  # an operator's argument
    """A product's two sides, both ways."""
    if not isinstance(argument, Node) or argument.op != "call_function" or operator_name(argument) != "mul":
        return []
    first, second = argument.args[:2]
    both = isinstance(first, Node) and isinstance(second, Node)
    return [(first, second), (second, first)] if both else []  # type: ignore[list-item]


def _is_turned(half: Node, value: Node) -> bool:
    """Whether one value is (-second half, first half) of the other."""
    if half.op != "call_function" or operator_name(half) != "cat" or len(half.args[0]) != 2:  # type: ignore[arg-type]
        return False
    pieces: Any = half.args[0]
    negative, first = pieces
    if negative.op != "call_function" or operator_name(negative) != "neg":
        return False
    second, rank, size = negative.args[0], value.meta["val"].dim(), value.meta["val"].shape[-1]
    along = half.args[1] if len(half.args) > 1 else 0
    return (
        int(along) % rank == rank - 1  # type: ignore[arg-type]
        and _stretch(first, value) == (0, size // 2)
        and _stretch(second, value) == (size // 2, size)
    )


def _stretch(node: Any, value: Node) -> tuple[int, int] | None:  # an operator's argument
    """From where to where a slice or a piece of a split cuts the last axis of a value."""
    rank, size = value.meta["val"].dim(), value.meta["val"].shape[-1]
    if not isinstance(node, Node) or node.op != "call_function":
        return None
    if operator_name(node) == "slice" and node.args[0] is value and int(node.args[1]) % rank == rank - 1:  # type: ignore[arg-type]
        start, stop = (int(bound) for bound in node.args[2:4])  # type: ignore[arg-type]
        return start, min(stop, size)
    pieces = node.args[0] if operator_name(node) == "getitem" else None
    if isinstance(pieces, Node) and pieces.args[0] is value and len(pieces.meta["val"]) == 2:
        number = int(node.args[1])  # type: ignore[arg-type]
        return number * size // 2, (number + 1) * size // 2
    return None


def _angles(node: Any, function: str) -> Node | None:  # an operator's argument
    """The angles whose cosine or sine a value is, if they are the same for both halves."""
    while isinstance(node, Node) and node.op == "call_function":
        name = operator_name(node)
        if name == function:
            angles: Any = node.args[0]
            return angles if _is_doubled(angles) else None
        is_scalar = name == "mul" and not isinstance(node.args[1], Node)
        node = node.args[0] if is_scalar or _keeps_last(node) else None
    return None


def _keeps_last(node: Node) -> bool:
    """Whether an operator leaves the last axis as it is."""
    if operator_name(node) not in _PASSED or not isinstance(node.args[0], Node):
        return False
    before, after = node.args[0].meta["val"], node.meta["val"]
    last = before.dim() - 1
    dims: tuple[Any, ...] = node.args[1:3] if operator_name(node) == "transpose" else ()
    if operator_name(node) == "unsqueeze":
        dims = (before.dim(),) if node.args[1] in (-1, before.dim()) else ()
        return not dims
    return before.shape[-1:] == after.shape[-1:] and all(dim % before.dim() != last for dim in dims)


def _is_doubled(angles: Any) -> bool:  # an operator's argument
    while isinstance(angles, Node) and angles.op == "call_function" and _keeps_last(angles):
        angles = angles.args[0]
    if not isinstance(angles, Node) or operator_name(angles) != "cat" or len(angles.args[0]) != 2:  # type: ignore[arg-type]
        return False
    along: Any = angles.args[1] if len(angles.args) > 1 else 0
    if along % angles.meta["val"].dim() != angles.meta["val"].dim() - 1:
        return False
    halves: Any = angles.args[0]
    return halves[0] is halves[1]


def _keep(value: Node) -> Rule:
    """A product with a cosine or a sine: what it carries is what its other side carries."""

    def rule(flow: Flow, node: Node) -> State:
        carried = flow.carried(value)
        return Carried(flow.axes(node), carried.refs)

    return rule


def _turned(flow: Flow, node: Node) -> State:
    """Both halves of a plane share their factors from here on."""
    outcome = add(flow, node)
    for ref in outcome.refs.values() if isinstance(outcome, Carried) else ():
        if ref != ZERO:
            flow.sites.activate(ref, "rotary")
            flow.sites.skew(ref)
    return outcome
