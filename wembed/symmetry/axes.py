"""Axis expressions: what an axis of a tensor is made of.

An axis is an atom (its name, a string), a product of axes (a reshape: heads x head_dim, channels x pixels) or a sum of
axes (a concatenation: fused q|k|v). Everything that acts on a tensor is written once, over these expressions.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Product:
    """An axis whose index runs over all factors, the last one fastest."""

    factors: "tuple[Axis, ...]"


@dataclass(frozen=True)
class Sum:
    """An axis made of the terms' indices, one term after the other."""

    terms: "tuple[Axis, ...]"


Axis = str | Product | Sum

_DEEPEST = 8  # products and sums inside each other; a fused, grouped qkv has three


def atoms_of(axis: Axis) -> Iterator[str]:
    """The atoms that an axis is made of, in order, repeated where they stand twice."""
    if isinstance(axis, str):
        yield axis
    else:
        for part in axis.factors if isinstance(axis, Product) else axis.terms:
            yield from atoms_of(part)


def axis_size(axis: Axis, sizes: Mapping[str, int]) -> int:
    """The number of indices of an axis, given its atoms' sizes."""
    match axis:
        case Product(factors):
            return math.prod(axis_size(factor, sizes) for factor in factors)  # exact, however large
        case Sum(terms):
            return sum(axis_size(term, sizes) for term in terms)
        case _:
            return sizes[axis]


def parts_of(axis: Axis) -> list[tuple[int, ...]]:
    """The parts that the sums inside an axis divide it into, each as the chosen terms' numbers, outermost first.

    An axis without a sum has one part, (); a fused q|k|v has (0,), (1,), (2,).
    """
    match axis:
        case Product(factors):
            return [sum(choice, ()) for choice in product(*(parts_of(factor) for factor in factors))]
        case Sum(terms):
            return [(number, *part) for number, term in enumerate(terms) for part in parts_of(term)]
        case _:
            return [()]


def part_count(axis: Axis) -> int:
    """The number of parts of an axis, which are not listed."""
    match axis:
        case Product(factors):
            return math.prod(map(part_count, factors))
        case Sum(terms):
            return sum(map(part_count, terms))
        case _:
            return 1


def part_atoms(axis: Axis, part: tuple[int, ...]) -> tuple[str, ...]:
    """The atoms that a part of an axis is the product of, the last one fastest.

    Raises:
        ValueError: if the axis has no such part.
    """
    atoms, rest = _walk(axis, part)
    if rest:
        raise ValueError(f"{axis_text(axis)} has no part {list(part)}")
    return atoms


def _walk(axis: Axis, part: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The atoms of the part's first choices, and the choices that are left."""
    match axis:
        case Product(factors):
            atoms: tuple[str, ...] = ()
            for factor in factors:
                inner, part = _walk(factor, part)
                atoms += inner
            return atoms, part
        case Sum(terms):
            if not part or not 0 <= part[0] < len(terms):
                raise ValueError(f"{axis_text(axis)} has no part {list(part)}")
            return _walk(terms[part[0]], part[1:])
        case _:
            return (axis,), part


def part_index(axis: Axis, part: tuple[int, ...], sizes: Mapping[str, int]) -> NDArray[np.intp]:
    """Where the indices of a part stand along the whole axis: [n], in the order of the part's atoms."""
    index, _ = _part_index(axis, part, sizes)
    return index


def _part_index(
    axis: Axis, part: tuple[int, ...], sizes: Mapping[str, int]
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    match axis:
        case Product(factors):
            index = np.zeros(1, dtype=np.intp)
            for factor in factors:
                inner, part = _part_index(factor, part, sizes)
                index = (index[:, None] * axis_size(factor, sizes) + inner[None, :]).reshape(-1)
            return index, part
        case Sum(terms):
            offset = sum(axis_size(term, sizes) for term in terms[: part[0]])
            inner, rest = _part_index(terms[part[0]], part[1:], sizes)
            return inner + offset, rest
        case _:
            return np.arange(sizes[axis], dtype=np.intp), part


def gather_index(
    axis: Axis, permutations: Mapping[str, NDArray[np.intp]], sizes: Mapping[str, int]
) -> NDArray[np.intp]:
    """The index [N] that permutes a whole axis when its atoms are permuted: new = old[index].

    Args:
        axis: the axis expression, N indices.
        permutations: for each permuted atom its index [n], new = old[index]; other atoms stay.
        sizes: the size of every atom.
    """
    match axis:
        case Product(factors):
            index = np.zeros(1, dtype=np.intp)
            for factor in factors:
                inner = gather_index(factor, permutations, sizes)
                index = (index[:, None] * len(inner) + inner[None, :]).reshape(-1)
            return index
        case Sum(terms):
            parts, offset = [], 0
            for term in terms:
                parts.append(gather_index(term, permutations, sizes) + offset)
                offset += len(parts[-1])
            return np.concatenate(parts)
        case _:
            return permutations.get(axis, np.arange(sizes[axis], dtype=np.intp))


def spread(axis: Axis, inner: Axis, values: NDArray[np.float64], sizes: Mapping[str, int]) -> NDArray[np.float64]:
    """Values [n] given along `inner`, repeated along `axis` [N], of which `inner` is a part; 1 elsewhere.

    Used to lay a channel's scale over channels x pixels after a flatten.
    """
    if axis == inner:
        return values
    match axis:
        case Product(factors):
            out = np.ones(1)
            for factor in factors:
                out = (out[:, None] * spread(factor, inner, values, sizes)[None, :]).reshape(-1)
            return out
        case Sum(terms):
            return np.concatenate([spread(term, inner, values, sizes) for term in terms])
        case _:
            return np.ones(sizes[axis])


def axis_text(axis: Axis) -> str:
    """An axis for people: `c2`, `c2 x pixels`, `q | k | v`."""
    match axis:
        case Product(factors):
            return " x ".join(axis_text(factor) for factor in factors)
        case Sum(terms):
            return " | ".join(axis_text(term) for term in terms)
        case _:
            return axis


def shape_text(axis: Axis, sizes: Mapping[str, int]) -> str:
    """The sizes that an axis is made of, for people: `8`, `4 x 64` (heads x dims), `4 x (32 | 32)`."""
    match axis:
        case Product(factors):
            parts = (shape_text(factor, sizes) for factor in factors)
            return " x ".join(f"({part})" if "|" in part else part for part in parts)
        case Sum(terms):
            return " | ".join(shape_text(term, sizes) for term in terms)
        case _:
            return str(sizes[axis])


def axis_to_json(axis: Axis) -> object:
    """An axis as JSON: a string, {"product": [...]} or {"sum": [...]}."""
    match axis:
        case Product(factors):
            return {"product": [axis_to_json(factor) for factor in factors]}
        case Sum(terms):
            return {"sum": [axis_to_json(term) for term in terms]}
        case _:
            return axis


def axis_from_json(value: object, deepest: int = _DEEPEST) -> Axis:
    """The inverse of `axis_to_json`; ValueError for anything else, and for what is nested deeper than networks need."""
    match value:
        case str():
            return value
        case {"product": [_, *_]} | {"sum": [_, *_]} if deepest == 0:
            raise ValueError(f"an axis is nested more than {_DEEPEST} deep")
        case {"product": [_, *_] as parts}:
            return Product(tuple(axis_from_json(part, deepest - 1) for part in parts))
        case {"sum": [_, *_] as parts}:
            return Sum(tuple(axis_from_json(part, deepest - 1) for part in parts))
        case _:
            raise ValueError(f"an axis is a name, a product or a sum, found {value!r:.80}")
