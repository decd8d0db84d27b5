"""Axes while they are being found: variables that are joined, split into factors and cut into terms.

A union-find whose classes may be refined: a variable is a leaf (an atom), a product of variables or a sum of them. Two
variables are joined when an operator demands that their indices are permuted alike. Everything here only ever narrows
the group: what cannot be brought together exactly is frozen, which is always right.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNALIGNED = "factors that do not line up"


class NotUnderstoodError(Exception):
    """An operator that is used in a way that its rule does not know; it is frozen, so no user meets this."""


@dataclass(eq=False, slots=True)
class Variable:
    """An axis of a value, of `size` indices.

    Args:
        size: number of indices.
        frozen: of a leaf: why it must not be permuted, or "".
        parent: the variable that it was joined to, or None.
        factors: what it is a product of, or ().
        terms: what it is a sum of, or ().
        marks: what rules have said about it: kinds of atoms.
    """

    size: int
    frozen: str = ""
    parent: "Variable | None" = None
    factors: "tuple[Variable, ...]" = ()
    terms: "tuple[Variable, ...]" = ()
    marks: tuple[str, ...] = ()


Axes = tuple[Variable, ...]


def root(variable: Variable) -> Variable:
    """The variable that stands for all that it was joined to."""
    while variable.parent is not None:
        if variable.parent.parent is not None:
            variable.parent = variable.parent.parent
        variable = variable.parent
    return variable


def is_leaf(variable: Variable) -> bool:
    """Whether it is an atom, as far as is known."""
    return not root(variable).factors and not root(variable).terms


def leaves(variable: Variable) -> list[Variable]:
    """The atoms that it is made of, in order."""
    top = root(variable)
    parts = top.factors or top.terms
    return [leaf for part in parts for leaf in leaves(part)] if parts else [top]


def freeze(variable: Variable, why: str) -> None:
    """No atom of it may be permuted."""
    for leaf in leaves(variable):
        leaf.frozen = leaf.frozen or why


def is_frozen(variable: Variable) -> bool:
    """Whether no atom of it may be permuted; one of size 1 cannot be."""
    return all(leaf.frozen or leaf.size == 1 for leaf in leaves(variable))


def mark(variable: Variable, kind: str) -> None:
    """Say what kind of atoms it is made of."""
    for leaf in leaves(variable):
        if kind not in leaf.marks:
            leaf.marks += (kind,)


def product(variables: Iterable[Variable]) -> Variable:
    """The product of variables, those of size 1 left out."""
    factors = tuple(factor for variable in variables for factor in factors_of(variable) if factor.size != 1)
    if len(factors) == 1:
        return factors[0]
    return Variable(math.prod(factor.size for factor in factors), factors=factors)


def total(variables: Iterable[Variable]) -> Variable:
    """The sum of variables, empty ones left out."""
    terms = tuple(term for variable in variables for term in terms_of(variable) if term.size)
    return terms[0] if len(terms) == 1 else Variable(sum(term.size for term in terms), terms=terms)


def factors_of(variable: Variable) -> list[Variable]:
    """Its factors, none of them a product; itself alone where it is none."""
    top = root(variable)
    return [inner for factor in top.factors for inner in factors_of(factor)] if top.factors else [top]


def terms_of(variable: Variable) -> list[Variable]:
    """Its terms, none of them a sum; itself alone where it is none."""
    top = root(variable)
    return [inner for term in top.terms for inner in terms_of(term)] if top.terms else [top]


def unify(first: Variable, second: Variable) -> Variable:
    """Demand that two axes are permuted alike; what is repeated along an axis of size 1 is as the other says.

    Raises:
        NotUnderstoodError: where their sizes differ.
    """
    first, second = root(first), root(second)
    if first is second or second.size == 1:
        return first
    if first.size == 1:
        return second
    if first.size != second.size:
        raise NotUnderstoodError(f"axes of {first.size} and {second.size} indices")
    if is_leaf(first) or is_leaf(second):
        leaf, other = (first, second) if is_leaf(first) else (second, first)
        return _link(leaf, other)
    joined = _unify_products if first.factors and second.factors else _unify_sums
    if joined(first, second):
        return _link(first, second) if root(first) is not root(second) else root(second)
    freeze(first, UNALIGNED)
    freeze(second, UNALIGNED)
    return first


def _link(old: Variable, new: Variable) -> Variable:
    """Let one variable stand for another, which is a leaf or equal to it."""
    if is_leaf(old):
        if old.frozen:
            freeze(new, old.frozen)
        for kind in old.marks:
            mark(new, kind)
    old.parent = new
    old.factors = old.terms = ()
    return new


def _unify_products(first: Variable, second: Variable) -> bool:
    left, right = factors_of(first), factors_of(second)
    while left and right:
        smaller, larger = (left, right) if left[0].size <= right[0].size else (right, left)
        taken = take(larger, smaller[0].size)
        if taken is None:
            return False
        unify(smaller.pop(0), product(taken))
        left, right = _flat(left), _flat(right)
    return not left and not right


def _flat(factors: list[Variable]) -> list[Variable]:
    """The same factors after some of them were refined."""
    return [inner for factor in factors for inner in factors_of(factor)]


def _unify_sums(first: Variable, second: Variable) -> bool:
    """Two sums, or a sum and a product whose leading factor is cut as the sum is."""
    ends = sorted({*_ends(first), *_ends(second)})
    sizes = [stop - start for start, stop in zip([0, *ends], ends, strict=False)]
    if first.factors or second.factors:
        sum_, product_ = (second, first) if first.factors else (first, second)
        sizes = [term.size for term in terms_of(sum_)]
    else:
        sum_, product_ = first, second
    left, right = cut(sum_, sizes), cut(product_, sizes)
    if left is None or right is None:
        return False
    for one, other in zip(left, right, strict=True):
        unify(one, other)
    return True


def _ends(variable: Variable) -> list[int]:
    ends, stop = [], 0
    for term in terms_of(variable):
        stop += term.size
        ends.append(stop)
    return ends


def take(factors: list[Variable], size: int) -> list[Variable] | None:
    """Take leading factors of a total size off a list, splitting one where that is needed; None if none fit.

    Args:
        factors: changed: what was taken is gone.
        size: of what is taken.
    """
    taken: list[Variable] = []
    while size > 1:
        if not factors:
            return None
        factor = root(factors.pop(0))
        if factor.size == 1:
            continue
        if size % factor.size == 0:
            taken.append(factor)
            size //= factor.size
        elif factor.factors:
            factors[:0] = factors_of(factor)
        elif factor.size % size == 0:
            pieces = split(factor, size)
            if pieces is None:
                return None
            taken.append(pieces[0])
            factors.insert(0, pieces[1])
            size = 1
        else:
            return None
    return taken


def split(variable: Variable, size: int) -> tuple[Variable, Variable] | None:
    """Refine an axis that is no product into a leading factor of a size and the rest; None where it does not fit."""
    top = root(variable)
    rest = top.size // size
    if not top.terms:
        pair = _child(top, size), _child(top, rest)
        top.factors = pair
        return pair
    # (a c) + (b c) = (a + b) c
    leading: list[Variable] = []
    trailing = Variable(rest)
    for term in terms_of(top):
        own = factors_of(term)
        front = take(own, term.size // rest) if term.size % rest == 0 else None
        if front is None:
            return None
        trailing = unify(trailing, product(own))
        leading.append(product(front))
    pair = total(leading), trailing
    top.terms, top.factors = (), pair
    return pair


def _child(parent: Variable, size: int) -> Variable:
    return Variable(size, parent.frozen, marks=parent.marks)


def cut(variable: Variable, sizes: Sequence[int]) -> list[Variable] | None:
    """Refine an axis into consecutive terms of given sizes; None where it does not fit."""
    top, wide = root(variable), [size for size in sizes if size]
    if len(wide) <= 1:
        pieces: list[Variable] | None = [top] * len(wide)
    elif top.factors:
        pieces = _cut_product(top, wide)
    elif top.terms:
        pieces = _cut_sum(top, wide)
    else:
        top.terms = tuple(_child(top, size) for size in wide)
        pieces = list(top.terms)
    if pieces is None:
        return None
    left = iter(pieces)
    return [next(left) if size else Variable(0) for size in sizes]


def _cut_sum(top: Variable, sizes: Sequence[int]) -> list[Variable] | None:
    """Regroup terms, cutting those across which a boundary lies."""
    left = terms_of(top)
    pieces: list[Variable] = []
    for size in sizes:
        group: list[Variable] = []
        while size:
            term = root(left.pop(0))
            if term.terms:
                left[:0] = terms_of(term)
                continue
            if term.size > size:
                halves = cut(term, (size, term.size - size))
                if halves is None:
                    return None
                left[:0] = halves
                continue
            group.append(term)
            size -= term.size
        pieces.append(total(group))
    return pieces


def _cut_product(top: Variable, sizes: Sequence[int]) -> list[Variable] | None:
    """Cut the leading factor: (a + b) c = (a c) + (b c)."""
    first, *others = factors_of(top)
    rest = math.prod(factor.size for factor in others)
    if any(size % rest for size in sizes):
        return None
    pieces = cut(first, [size // rest for size in sizes])
    if pieces is None:
        return None
    return [product([piece, *others]) for piece in pieces]
