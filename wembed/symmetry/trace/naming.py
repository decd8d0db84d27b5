"""Names and kinds of the atoms that were found.

An atom is called after the first tensor, in data-flow order, that writes a value along it, so that the names of a
repeated block differ by the block's number alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wembed.symmetry.axes import Axis, Product, Sum
from wembed.symmetry.spec import Atom, AtomKind
from wembed.symmetry.trace.atoms import Axes, Variable, leaves, root

_MARKED: tuple[AtomKind, ...] = ("vocabulary", "spatial", "expert", "head", "head_dim")  # the first that fits
_SUFFIXES: Mapping[AtomKind, str] = {
    "vocabulary": "vocabulary",
    "expert": "experts",
    "head": "heads",
    "head_dim": "head_dim",
}
_KIND_OF_REASON: Mapping[str, AtomKind] = {
    "model input": "input",
    "model output": "output",
    "places on a grid": "spatial",
    "pixels": "spatial",
    "pixels of a channel": "spatial",
}
_MANY = 1000  # names that one tensor's atoms may differ by


@dataclass
class Names:
    """Names of leaves, each given once.

    Args:
        wanted: identities of the leaves that may be named, None for all.
        atoms: name -> leaf.
        of: identity of a leaf -> name.
    """

    wanted: set[int] | None = None
    atoms: dict[str, Variable] = field(default_factory=dict)
    of: dict[int, str] = field(default_factory=dict)

    def give(self, leaf: Variable, name: str) -> None:
        """Name a leaf that has none; a number is appended where the name is taken."""
        if id(leaf) not in self.of and (self.wanted is None or id(leaf) in self.wanted):
            free = next(own for own in (name, *(f"{name}{i}" for i in range(2, _MANY))) if own not in self.atoms)
            self.atoms[free] = leaf
            self.of[id(leaf)] = free


def named(writes: Iterable[tuple[str, Variable]], tensors: Mapping[str, Axes]) -> Names:
    """Names for all atoms of all tensors.

    Args:
        writes: tensor and axis that write a value, in data-flow order.
        tensors: their axes, in the order of their first use.
    """
    names = Names({id(leaf) for axes in tensors.values() for axis in axes for leaf in leaves(axis)})
    written = set()
    for tensor, axis in writes:
        written.add(tensor)
        _name_axis(names, _path(tensor), axis, "out")
    for tensor, axes in tensors.items():
        first = "in" if tensor in written else "out"
        for place, axis in enumerate(axes):
            _name_axis(names, _path(tensor), axis, (first, "in")[place] if place < 2 else f"tap{place - 2}")
    names.wanted = None
    return names


def _name_axis(names: Names, path: str, axis: Variable, suffix: str) -> None:
    heads = 0
    for leaf in dict.fromkeys(leaves(axis)):
        kind = kind_of(leaf)
        heads += kind == "head"
        own = _SUFFIXES.get(kind, suffix)
        if leaf.size != 1:
            names.give(leaf, f"{path}.{'repeats' if kind == 'head' and heads > 1 else own}")


def _path(tensor: str) -> str:
    """The module whose weight a tensor is, or is computed from; else the tensor's own name."""
    tensor = tensor.partition(".parametrizations.")[0]
    head, _, last = tensor.rpartition(".")
    return head if last in ("weight", "weight_v", "weight_g") and head else tensor


def kind_of(leaf: Variable) -> AtomKind:
    """What the indices of an atom are."""
    marked = next((kind for kind in _MARKED if kind in leaf.marks and _may_be(kind, leaf)), None)
    return marked or _KIND_OF_REASON.get(leaf.frozen, "hidden")


def _may_be(kind: AtomKind, leaf: Variable) -> bool:
    """Tokens and pixels that take part in attention are what they were before."""
    return kind not in ("head", "head_dim") or _KIND_OF_REASON.get(leaf.frozen) is None


def atom_of(name: str, leaf: Variable, under: str = "") -> Atom:
    """An atom of the spec."""
    return Atom(name, leaf.size, kind_of(leaf), leaf.frozen, under)


def expression(variable: Variable, names: Names) -> Axis:
    """An axis as an expression, flat: no product right inside a product, no sum right inside a sum."""
    top = root(variable)
    if top.factors:
        return _product(factor for inner in top.factors for factor in _inside(expression(inner, names), Product))
    if top.terms:
        return _sum(term for inner in top.terms for term in _inside(expression(inner, names), Sum))
    return Product(()) if top.size == 1 else names.of[id(top)]


def _inside(axis: Axis, kind: type) -> tuple[Axis, ...]:
    if isinstance(axis, kind):
        return axis.factors if isinstance(axis, Product) else axis.terms if isinstance(axis, Sum) else (axis,)
    return (axis,)


def _product(factors: Iterable[Axis]) -> Axis:
    found = tuple(factors)
    return found[0] if len(found) == 1 else Product(found)


def _sum(terms: Iterable[Axis]) -> Axis:
    found = tuple(terms)
    return found[0] if len(found) == 1 else Sum(found)
