"""Freedom: two networks of a spec in; all moves that either allows, and the form in which they are carried out, out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from wembed.merging.continuous.biases import with_biases_of, without_biases
from wembed.merging.continuous.folded import can_fold, folded, unfolded
from wembed.merging.continuous.linear import LinearMaps
from wembed.merging.continuous.moves import Move, SmoothMove
from wembed.merging.continuous.orders import HeadMap, HeadOrder, InnerOrder, UnitOrder
from wembed.merging.continuous.rotary import RotaryTurns
from wembed.merging.continuous.streams import streams_of
from wembed.merging.continuous.turned import StreamTurn
from wembed.merging.tensors import Tensors
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of


@dataclass(frozen=True)
class Freedom:
    """What may be done to a network of a spec.

    Args:
        spec: whose symmetries.
        orders: of heads and units.
        maps: inside heads.
        turns: of streams.
    """

    spec: SymmetrySpec
    orders: tuple[Move, ...]
    maps: tuple[HeadMap, ...]
    turns: tuple[StreamTurn, ...]

    @classmethod
    def of(cls, spec: SymmetrySpec, *networks: Tensors) -> Self:
        """What a spec allows and some networks' gains do not forbid."""
        streams = [stream for stream in streams_of(spec) if all(can_fold(tensors, stream) for tensors in networks)]
        maps = tuple(_maps(spec))
        orders = tuple(_orders(spec, {stream.atom for stream in streams}, maps))
        return cls(spec, orders, maps, tuple(StreamTurn(spec, stream) for stream in streams))

    @property
    def smooth(self) -> tuple[SmoothMove, ...]:
        """The moves that small steps lead to."""
        return (*self.maps, *self.turns)

    def folded(self, tensors: Tensors) -> Tensors:
        """The same function without gains of norms, and without biases that others can take."""
        return without_biases(self._without_gains(tensors), self.spec)

    def unfolded(self, tensors: Tensors, like: Tensors) -> Tensors:
        """Folded tensors with the gains and biases of another network, which need not be folded."""
        tensors = with_biases_of(tensors, self.spec, self._without_gains(like))
        for turn in self.turns:
            tensors = unfolded(tensors, turn.stream, like)
        return tensors

    def _without_gains(self, tensors: Tensors) -> Tensors:
        for turn in self.turns:
            tensors = folded(tensors, turn.stream)
        return tensors


def _maps(spec: SymmetrySpec) -> Iterator[HeadMap]:
    sides = Sides.of(spec)
    for site in spec.sites.values():
        scale = "none" if site.dual else sides.scale(site.name)
        if scale == "linear":
            yield LinearMaps.of(sides, site.name)
        elif scale == "rotary":
            yield RotaryTurns.of(sides, site.name)


def _orders(spec: SymmetrySpec, streams: set[str], maps: tuple[HeadMap, ...]) -> Iterator[Move]:
    """Of all free atoms but streams and the inner dimensions of heads; heads first."""
    free = [atom for atom in spec.atoms.values() if not atom.frozen and atom.size > 1 and atom.name not in streams]
    inside = {atom.name: tuple(move for move in maps if _is_inside(spec, move, atom.name)) for atom in free}
    heads = [atom for atom in free if atom.kind == "head"]
    yield from (HeadOrder(spec, atom.name, inside[atom.name]) for atom in heads if not atom.under)
    yield from (InnerOrder(spec, atom.name, inside.get(atom.under, ())) for atom in heads if atom.under)
    yield from (UnitOrder(spec, atom.name) for atom in free if atom.kind == "hidden" and not atom.under)


def _is_inside(spec: SymmetrySpec, move: HeadMap, atom: str) -> bool:
    """Whether maps are one for each head of an atom."""
    return tuple(atoms_of(spec.sites[move.site].axis))[:-1] == (atom,)
