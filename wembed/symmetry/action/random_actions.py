"""Random elements of a spec's symmetry group: what copies are disguised by, and what laws are tried with."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.act import Action
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.spec import Atom, ScaleClass, SymmetrySpec

_LOG_SCALE_SPREAD = 0.5  # standard deviation of the random log-scales
_SHIFT = 0.3  # standard deviation of what is added to biases


def random_action(
    spec: SymmetrySpec, generator: np.random.Generator, rescale: bool = False, powers_of_two: bool = False
) -> Action:
    """A random element: a uniform permutation of every free atom and, with `rescale`, a random scale of every site.

    Args:
        spec: whose group.
        generator: the source of randomness.
        rescale: whether to draw scales where a site's class allows them; one factor for each channel.
        powers_of_two: round scales so that they are exact in bf16 and fp16.
    """
    permutations = {atom.name: _permutation(atom, spec, generator) for atom in spec.atoms.values() if not atom.frozen}
    scales, sides = {}, Sides.of(spec)
    for site in spec.sites.values() if rescale else ():
        scale = sides.scale(site.name)
        if scale != "none" and not site.dual:
            scales[site.name] = _random_scale(scale, spec.size_of(site.axis), generator, powers_of_two)
    return Action(permutations, scales)


def random_continuous_action(spec: SymmetrySpec, generator: np.random.Generator) -> Action:
    """A random element of the whole group: matrices, turns and shifts too, where a site's class allows them."""
    action = random_action(spec, generator, rescale=True)
    mixes, turns, shifts = {}, {}, {}
    sides = Sides.of(spec)
    for site in spec.sites.values():
        size, scale = spec.size_of(site.axis), sides.scale(site.name)
        if scale == "linear" and not site.dual:
            last = spec.sizes[list(atoms_of(site.axis))[-1]]
            mixes[site.name] = _random_matrices(size // last if last else 0, last, generator)
        if scale == "rotary" and not site.dual:
            phases = np.exp(2j * np.pi * generator.random(size))
            turns[site.name] = _random_scale("positive", size, generator, powers_of_two=False) * phases
        if sides.can_shift(site.name):
            shifts[site.name] = generator.normal(0.0, _SHIFT, size)
    scales = {name: factors for name, factors in action.scales.items() if name not in mixes and name not in turns}
    return replace(action, scales=scales, mixes=mixes, turns=turns, shifts=shifts)


def has_continuous(spec: SymmetrySpec) -> bool:
    """Whether there is more to a spec's group than permutations and scales."""
    sides = Sides.of(spec)
    return any(sides.scale(name) in ("linear", "rotary") or sides.can_shift(name) for name in spec.sites)


def _permutation(atom: Atom, spec: SymmetrySpec, generator: np.random.Generator) -> NDArray[np.intp]:
    if not atom.under:
        return generator.permutation(atom.size)
    rows = np.tile(np.arange(atom.size, dtype=np.intp), (spec.sizes[atom.under], 1))
    return generator.permuted(rows, axis=1)


def _random_scale(
    scale: ScaleClass, size: int, generator: np.random.Generator, powers_of_two: bool
) -> NDArray[np.float64]:
    logs = generator.normal(0.0, _LOG_SCALE_SPREAD, size)
    signs: NDArray[np.float64] = generator.choice(np.array([-1.0, 1.0]), size)
    magnitude: NDArray[np.float64] = np.exp2(np.round(logs / np.log(2.0))) if powers_of_two else np.exp(logs)
    match scale:
        case "positive":
            return magnitude
        case "sign":
            return signs
        case _:
            return magnitude * signs


def _random_matrices(count: int, size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Well-conditioned matrices [count, size, size]: a rotation, scales, a rotation."""
    rotations = [np.linalg.qr(generator.normal(size=(count, size, size)))[0] for _ in range(2)]
    scales = np.exp(generator.normal(0.0, _LOG_SCALE_SPREAD, (count, 1, size)))
    matrices: NDArray[np.float64] = (rotations[0] * scales) @ rotations[1]
    return matrices
