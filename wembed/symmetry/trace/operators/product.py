"""Operators that multiply and sum up: linear layers, products of matrices, attention."""

from typing import Any

from torch.fx import Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, leaves, mark, product, unify
from wembed.symmetry.trace.operators.pointwise import broadcast
from wembed.symmetry.trace.propagation import Propagation, Value, arguments, shape_of

_OUTSIDE = frozenset(("model input", "sorted"))  # why axes are frozen that no weight has


def linear(trace: Propagation, node: Node) -> Value:
    """Y = x W^T + b."""
    given = arguments(node)
    x, weight = trace.axes(given["input"]), trace.axes(given["weight"])
    trace.wrote(given["weight"], weight[0])
    unify(x[-1], weight[-1])
    trace.runs_over(*x, *weight[:-1])
    trace.along(weight[0], given["bias"])
    return Value((*x[:-1], *weight[:-1]))


def add_product(trace: Propagation, node: Node) -> Value:
    """`addmm`, `baddbmm`: b + x W."""
    given = arguments(node)
    first, second = (given[name] for name in (("batch1", "batch2") if "batch1" in given else ("mat1", "mat2")))
    result = _product(trace, first, second)
    return Value(broadcast([result, trace.axes(given["self"])], shape_of(node)))


def matmul(trace: Propagation, node: Node) -> Value:
    """`matmul`, `mm`, `bmm`, `mv`, `dot`."""
    return Value(_product(trace, *node.args[:2]))


def _product(trace: Propagation, first: Any, second: Any) -> Axes:  # two operators' results
    x, y = trace.axes(first), trace.axes(second)
    unify(x[-1], y[-2] if len(y) > 1 else y[-1])
    trace.wrote(first, x[-2] if len(x) > 1 else x[-1])
    trace.wrote(second, y[-1])
    rank = max(len(x), len(y)) - 2
    shape = [max(_size(x, -3 - place), _size(y, -3 - place)) for place in reversed(range(rank))]
    batch = broadcast([x[:-2], y[:-2]], shape)
    kind = "expert" if trace.is_parameter(first) or trace.is_parameter(second) else "head"
    if any(leaf.size > 1 and leaf.frozen not in _OUTSIDE for axis in batch for leaf in leaves(axis)):
        for axis in batch:
            mark(axis, kind)
        for axis in (x[-1], y[-1]) if kind == "head" else ():
            mark(axis, "head_dim")
    trace.runs_over(*batch, *x[-2:], *(y[-1:] if len(y) > 1 else ()))
    return (*batch, *x[-2:-1], *(y[-1:] if len(y) > 1 else ()))


def _size(axes: Axes, place: int) -> int:
    return axes[place].size if -place <= len(axes) else 1


def einsum(trace: Propagation, node: Node) -> Value:
    """Axes of one letter are permuted alike."""
    given = arguments(node)
    inputs, _, output = given["equation"].replace(" ", "").partition("->")
    if "..." in inputs or not output:
        raise NotUnderstoodError("an equation with gaps")
    letters: dict[str, Variable] = {}
    for term, argument in zip(inputs.split(","), given["tensors"], strict=True):
        for letter, axis in zip(term, trace.axes(argument), strict=True):
            letters[letter] = unify(letters.get(letter, axis), axis)
            if letter in output:
                trace.wrote(argument, axis)
    trace.runs_over(*letters.values())
    return Value(tuple(letters[letter] for letter in output))


def embedding(trace: Propagation, node: Node) -> Value:
    """Rows of a table, chosen by the values of an input."""
    given = arguments(node)
    table, indices = trace.axes(given["weight"]), trace.value(given["indices"])
    trace.wrote(given["weight"], table[1])
    trace.mix(table, [0])
    if indices.entries is not None:
        unify(table[0], indices.entries)
    else:
        mark(table[0], "vocabulary")
        freeze(table[0], "vocabulary")
    return Value((*indices.axes, table[1]))


def attention(trace: Propagation, node: Node) -> Value:
    """softmax(q k^T) v for each head; fewer keys than queries are shared by groups of them."""
    given = arguments(node)
    query, key, value = (trace.axes(given[name]) for name in ("query", "key", "value"))
    unify(query[-1], key[-1])
    unify(key[-2], value[-2])
    heads = tuple(_heads(*axes) for axes in zip(query[:-2], key[:-2], value[:-2], strict=True))
    if given["is_causal"]:
        freeze(query[-2], "order of tokens")
        freeze(key[-2], "order of tokens")
    if isinstance(given["attn_mask"], Node):
        weights = (*heads, query[-2], key[-2])
        broadcast([weights, trace.axes(given["attn_mask"])], [axis.size for axis in weights])
    for summed in ((query[-1],), (), (value[-1],)):  # queries with keys, weights, weights with values
        trace.runs_over(*heads, query[-2], key[-2], *summed)
    trace.mix((*heads, query[-2], key[-2]), [-1])
    for axis in heads:
        mark(axis, "head")
    mark(query[-1], "head_dim")
    mark(value[-1], "head_dim")
    return Value((*heads, query[-2], value[-1]))


def _heads(query: Variable, key: Variable, value: Variable) -> Variable:
    """The heads of queries, which are groups for each head of keys and values."""
    shared = unify(key, value)
    if query.size == shared.size or shared.size == 1:
        return unify(query, shared)
    return unify(query, product((shared, Variable(query.size // shared.size))))
