"""Sites while they are being found: a union-find over values.

A site stands for the factors that a value may take along some atoms. Two values that are added have one site; two that
are multiplied and summed over (queries and keys) have one, whose factors the second takes inverted. What a value passes
narrows the class of its factors and never widens it, so whatever order operators are met in, nothing is invented.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wembed.symmetry.spec import SCALE_OF_ACTIVATION, ScaleClass, common_scale


class Ref(NamedTuple):
    """A site and the power, 1 or -1, in which a value takes its factors."""

    site: int
    power: int

    @property
    def inverse(self) -> "Ref":
        """The same site, its factors inverted."""
        return Ref(self.site, -self.power)


ZERO = Ref(-1, 0)  # a value that is zero: any factor leaves it as it is


@dataclass
class _Entry:
    """A site, or what has been joined to one.

    Args:
        atoms: what the value lies along where it is written.
        parent: the site that it was joined to, itself at the root.
        common: at the root, the atoms that its factors may depend on.
        limit: at the root, the class that is left of its factors.
        passes: at the root, the activations that were met, in order.
        key: at the root, the power in which a softmax over its positions reads it, or 0.
        chosen: at the root, an atom that its factors depend on (an expert) though values do not lie along it -> the
            atoms that say which of its indices it is, position by position.
        skewed: at the root, the powers of the sides that are scaled, added up or mixed by position: a bias of them
            does not arrive as one vector.
    """

    atoms: tuple[str, ...]
    parent: Ref
    common: tuple[str, ...]
    limit: ScaleClass = "linear"
    passes: list[str] = field(default_factory=list)
    key: int = 0
    chosen: dict[str, frozenset[str]] = field(default_factory=dict)
    skewed: set[int] = field(default_factory=set)


class Sites:
    """All sites of a network."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def new(self, atoms: Iterable[str]) -> Ref:
        """A site along some atoms; along none, where the axis has size 1, it is fixed."""
        atoms = tuple(atoms)
        ref = Ref(len(self._entries), 1)
        self._entries.append(_Entry(atoms, ref, atoms, limit="linear" if atoms else "none"))
        return ref

    def root(self, ref: Ref) -> Ref:
        """The site that a site was joined to, with the power in which it stands for this one."""
        parent = self._entries[ref.site].parent
        if parent.site == ref.site:
            return ref
        root = self.root(parent)
        self._entries[ref.site].parent = root
        return Ref(root.site, root.power * ref.power)

    def own_atoms(self, ref: Ref) -> tuple[str, ...]:
        """What a value lies along where it is written, without what was picked for each position and summed since."""
        chosen, common = self._top(ref).chosen, self._top(ref).common
        return tuple(atom for atom in self._entries[ref.site].atoms if atom not in chosen or atom in common)

    def atoms(self, ref: Ref) -> tuple[str, ...]:
        """What the factors may depend on."""
        return self._top(ref).common

    def choose(self, ref: Ref, atom: str, positions: Iterable[str]) -> None:
        """Note that each position has an index of an atom of its own, which its factors may depend on."""
        self._top(ref).chosen[atom] = frozenset(positions)

    def chosen(self, ref: Ref) -> frozenset[str]:
        """The atoms that its factors depend on though values do not lie along them."""
        return frozenset(self._top(ref).chosen) & frozenset(self._top(ref).common)

    def spread(self, ref: Ref) -> frozenset[str]:
        """The atoms along which values with its factors must not be mixed."""
        top = self._top(ref)
        positions = (top.chosen[atom] for atom in self.chosen(ref))
        return frozenset(top.common).union(*positions)

    def scale(self, ref: Ref) -> ScaleClass:
        """The class that is left so far."""
        return self._top(ref).limit

    def passes(self, ref: Ref) -> tuple[str, ...]:
        """The activations that its values pass."""
        return tuple(self._top(ref).passes)

    def is_skewed(self, ref: Ref) -> bool:
        """Whether a bias that is put into it arrives as something else than one vector."""
        root = self.root(ref)
        return root.power in self._entries[root.site].skewed

    def skew(self, ref: Ref) -> None:
        """Note that it is scaled, added up, or mixed by position."""
        if ref != ZERO:
            root = self.root(ref)
            self._entries[root.site].skewed.add(root.power)

    def is_key(self, ref: Ref) -> bool:
        """Whether a softmax runs over the positions of this side of a product."""
        root = self.root(ref)
        return self._entries[root.site].key == root.power

    def limit(self, ref: Ref, scale: ScaleClass) -> None:
        """Leave at most a class of factors."""
        if ref != ZERO:
            top = self._top(ref)
            top.limit = common_scale(top.limit, scale)

    def activate(self, ref: Ref, activation: str) -> None:
        """Note that its values pass an activation."""
        if ref == ZERO:
            return
        top = self._top(ref)
        if activation not in top.passes:
            top.passes.append(activation)
        self.limit(ref, SCALE_OF_ACTIVATION[activation])

    def restrict(self, ref: Ref, atoms: Iterable[str]) -> None:
        """Let the factors depend on some atoms only."""
        if ref != ZERO:
            top, kept = self._top(ref), set(atoms)
            before, top.common = top.common, tuple(atom for atom in top.common if atom in kept)
            if not top.common:
                top.limit = "none"
            elif top.common[-1] != before[-1]:
                self.limit(ref, "real")  # matrices act along the last atom

    def join(self, first: Ref, second: Ref) -> Ref:
        """Two values have the same factors; either of them."""
        if ZERO in (first, second):
            return second if first == ZERO else first
        a, b = self.root(first), self.root(second)
        if a.site == b.site:
            if a.power != b.power:  # a factor that is its own inverse
                self.limit(a, "sign")
            return first
        top, other = self._entries[a.site], self._entries[b.site]
        other.parent = Ref(a.site, a.power * b.power)
        top.limit = common_scale(top.limit, other.limit)
        top.passes += [name for name in other.passes if name not in top.passes]
        top.skewed |= {power * a.power * b.power for power in other.skewed}
        if top.common[-1:] != other.common[-1:]:
            self.limit(a, "real")
        apart = [atom for atom in top.common if top.chosen.get(atom) != other.chosen.get(atom)]
        self.restrict(a, [atom for atom in top.common if atom not in apart])
        top.chosen = {**other.chosen, **top.chosen}
        self._join_key(top, other.key * a.power * b.power)
        self.restrict(a, other.common)
        return first

    def turn_key(self, ref: Ref) -> None:
        """Note that a softmax runs over the positions of this side."""
        root = self.root(ref)
        self._join_key(self._entries[root.site], root.power)

    def _join_key(self, top: _Entry, key: int) -> None:
        if key and top.key == -key:  # both sides of one product, or of two
            top.skewed |= {1, -1}
        top.key = top.key or key

    def _top(self, ref: Ref) -> _Entry:
        return self._entries[self.root(ref).site]
