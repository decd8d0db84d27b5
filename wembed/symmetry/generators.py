"""The continuous symmetries that a spec claims, counted: how many directions of weight space leave the function alone.

Permutations, signs and whatever else is discrete have none.
"""

from dataclasses import dataclass
from typing import Literal

from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.spec import SymmetrySpec

GeneratorKind = Literal["scale", "mix", "turn", "shift"]


@dataclass(frozen=True)
class Generator:
    """What one site gives.

    Args:
        site: its name.
        kind: `scale`, a factor for each index; `mix`, a matrix for each index of all atoms but the last; `turn`, a
            factor and an angle for each plane; `shift`, what may be added to its bias, for each index.
        dimension: how many independent directions these are.
    """

    site: str
    kind: GeneratorKind
    dimension: int


def generators(spec: SymmetrySpec) -> tuple[Generator, ...]:
    """All continuous generators of a spec's group, site by site; a dual shares those of its site."""
    sides, found = Sides.of(spec), []
    for name, site in spec.sites.items():
        size, scale = spec.size_of(site.axis), sides.scale(name)
        if scale in ("positive", "real") and not site.dual:
            found.append(Generator(name, "scale", size))
        if scale == "linear" and not site.dual:
            found.append(Generator(name, "mix", size * spec.sizes[list(atoms_of(site.axis))[-1]]))
        if scale == "rotary" and not site.dual:
            found.append(Generator(name, "turn", 2 * size))
        if sides.can_shift(name):
            found.append(Generator(name, "shift", size))
    return tuple(generator for generator in found if generator.dimension)
