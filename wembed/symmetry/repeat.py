"""Depth templating: a spec of a network with a few equal layers becomes that of one with many.

Layers that repeat are numbered in the names of their tensors (`encoder.layer.3.`), and every name of a spec (of
tensors, atoms, sites, layers) begins with a tensor's. In a stack of at least five units the number in a name tells what
is meant: the first unit, the last, the record's own, the one before or the one behind. So unit 2's records, renumbered,
are those of every middle unit; the first and the last unit keep their own.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from wembed.symmetry.axes import Axis, Product, Sum
from wembed.symmetry.spec import Atom, Layer, Site, SymmetrySpec

FEWEST = 5  # units of a stack: first, before, own, behind and last are then five different numbers
_OWN = 2  # the middle unit whose records stand for all

Depths = Mapping[str, int]  # a stack's prefix (`encoder.layer.`) -> its number of units
Rename = Callable[[str], str]
Record = TypeVar("Record")


@dataclass(frozen=True)
class _Place:
    """A unit of a stack; the record's own."""

    stack: str
    unit: int


def stacks_of(names: Iterable[str]) -> dict[str, int]:
    """The stacks of equal layers in some tensor names.

    A stack's units are numbered from 0, all but the first and the last hold the same names, and no stack is in them.

    Args:
        names: tensor names.
    """
    units: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in names:
        for match in re.finditer(r"(?:(?<=\.)|^)(\d+)\.", name):
            units[name[: match.start()]][int(match[1])].add(name[match.end() :])
    stacks = {prefix: len(members) for prefix, members in units.items() if _is_stack(members)}
    return {
        prefix: depth
        for prefix, depth in stacks.items()
        if not any(other.startswith(f"{prefix}0.") for other in stacks)
    }


def _is_stack(members: Mapping[int, set[str]]) -> bool:
    middle = [members[unit] for unit in sorted(members)[1:-1]]
    return (
        len(members) >= FEWEST and sorted(members) == list(range(len(members))) and all(m == middle[0] for m in middle)
    )


def depths_in(names: Iterable[str], stacks: Iterable[str]) -> dict[str, int]:
    """How many units each of the given stacks has in some tensor names; 0 where there is none."""
    found = dict.fromkeys(stacks, 0)
    for name in names:
        for stack in found:
            number = re.match(r"(\d+)\.", name.removeprefix(stack)) if name.startswith(stack) else None
            if number:
                found[stack] = max(found[stack], int(number[1]) + 1)
    return found


def repeated(spec: SymmetrySpec, depths: Depths) -> SymmetrySpec:
    """A spec with other numbers of units in its stacks; sizes stay those of the unit that is repeated.

    Args:
        spec: a spec whose stacks have at least five units each.
        depths: the wanted number of units of each of its stacks, at least 1.

    Raises:
        ValueError: where a unit's records speak of another unit than the first, the last or the next to it, or a stack
            is too shallow for what they say.
    """
    repeat = _Repetition({stack: depth for stack, depth in stacks_of(spec.tensors).items() if stack in depths}, depths)
    atoms = [_renamed_atom(atom, rename) for atom, rename in repeat.over(spec.atoms.items())]
    sites = [renamed_site(site, rename) for site, rename in repeat.over(spec.sites.items())]
    layers = [_renamed_layer(layer, rename) for layer, rename in repeat.over((one.name, one) for one in spec.layers)]
    tensors = {
        rename(name): tuple(renamed_axis(axis, rename) for axis in axes)
        for (name, axes), rename in repeat.over((item[0], item) for item in spec.tensors.items())
    }
    stacks = {
        rename(name): tuple(map(rename, members))
        for (name, members), rename in repeat.over((item[0], item) for item in spec.stacks.items())
    }
    return replace(
        spec,
        atoms={atom.name: atom for atom in atoms},
        tensors=tensors,
        sites={site.name: site for site in sites},
        layers=tuple(layers),
        stacks=stacks,
    )


class _Repetition:
    """Goes over records and gives each as often as its unit is wanted, with the renaming that it needs."""

    def __init__(self, found: Depths, wanted: Depths) -> None:
        self.found, self.wanted = found, wanted
        names = "|".join(re.escape(stack) for stack in sorted(found, key=len, reverse=True))
        self.number = re.compile(rf"(?<![\w.])({names})(\d+)(?!\w)") if names else re.compile(r"(?!)")

    def over(self, records: Iterable[tuple[str, Record]]) -> Iterator[tuple[Record, Rename]]:
        """Each record once for every wanted unit, unit by unit within a run of records of one unit."""
        for place, run in groupby(records, key=lambda item: self._place(item[0])):
            members = [record for _, record in run]
            for unit in self._units(place):
                rename = self._rename(place, unit)
                yield from ((record, rename) for record in members)

    def _place(self, name: str) -> _Place | None:
        match = self.number.search(name)
        return _Place(match[1], int(match[2])) if match else None

    def _units(self, place: _Place | None) -> Iterable[int]:
        """The wanted units that the records of a place stand for; 0 for what is in no stack."""
        if place is None:
            return (0,)
        last, found = self.wanted[place.stack] - 1, self.found[place.stack]
        if place.unit == 0:
            return (0,)
        if place.unit == found - 1:
            return (last,) if last > 0 else ()
        return range(1, last) if place.unit == _OWN else ()

    def _rename(self, place: _Place | None, unit: int) -> Rename:
        tables = {stack: self._table(stack, place, unit) for stack in self.found}

        def renumber(match: re.Match[str]) -> str:
            number = tables[match[1]].get(int(match[2]))
            if number is None or not 0 <= number < self.wanted[match[1]]:
                raise ValueError(f"a record of {place} speaks of {match[0]}, which has no counterpart")
            return f"{match[1]}{number}"

        return lambda name: self.number.sub(renumber, name)

    def _table(self, stack: str, place: _Place | None, unit: int) -> dict[int, int]:
        """The found number -> the wanted one, as a record of `place` that stands for `unit` means it."""
        last, found = self.wanted[stack] - 1, self.found[stack]
        table = {0: 0, found - 1: last}
        if place is not None and place.stack == stack:
            table |= {place.unit + step: unit + step for step in (-1, 1)} | table | {place.unit: unit}
        return table


def renamed_axis(axis: Axis, rename: Rename) -> Axis:
    """An axis with its atoms renamed."""
    match axis:
        case Product(factors):
            return Product(tuple(renamed_axis(factor, rename) for factor in factors))
        case Sum(terms):
            return Sum(tuple(renamed_axis(term, rename) for term in terms))
        case _:
            return rename(axis)


def _renamed_atom(atom: Atom, rename: Rename) -> Atom:
    return replace(atom, name=rename(atom.name), under=rename(atom.under))


def renamed_site(site: Site, rename: Rename) -> Site:
    """A site with everything that it names renamed."""
    axis = renamed_axis(site.axis, rename)
    return replace(site, name=rename(site.name), axis=axis, slope=rename(site.slope), dual=rename(site.dual))


def _renamed_layer(layer: Layer, rename: Rename) -> Layer:
    tensors = {role: rename(name) for role, name in layer.tensors.items()}
    return replace(
        layer, name=rename(layer.name), source=rename(layer.source), target=rename(layer.target), tensors=tensors
    )
