"""A spec in; the time and the memory that aligning two networks of it would take, out: from shapes alone.

The constants were measured on one core of a server; a laptop's are within a factor of two.
"""

from dataclasses import dataclass

import numpy as np

from wembed.merging.matching.groups import Group, compared, free_groups
from wembed.merging.matching.moving import entries, is_held
from wembed.symmetry import SymmetrySpec

_PRODUCTS = 1e11  # multiplications and additions of float32 matrices a second
_READING = 4e8  # entries a second: read, moved and laid out
_ASSIGNMENT = 1.4  # seconds for 4096 units; grows with the power below
_POWER = 2.2
_STEP = 1.5e-4  # seconds of every assignment, however small
_PASSES_OF_LARGE = 4  # the first guess, and rounds that gain something
_PASSES = 40  # of a network in memory, over all its starts
_COPIES = 6  # of a network in memory: both ends, and what is moved
_LAID_OUT = 4  # copies of a tensor while its units are compared


@dataclass(frozen=True)
class Estimate:
    """What aligning takes.

    Args:
        seconds: on one core.
        bytes: beside what the program takes anyway.
    """

    seconds: float
    bytes: int


def alignment_estimate(spec: SymmetrySpec) -> Estimate:
    """What aligning one network of a spec to another takes."""
    passes = _PASSES if is_held(spec) else _PASSES_OF_LARGE
    once = sum(_seconds(spec, group) for group in free_groups(spec))
    return Estimate(passes * once, _bytes(spec))


def _seconds(spec: SymmetrySpec, group: Group) -> float:
    """Of one assignment of an atom."""
    size, below = spec.sizes[group.atom], [spec.sizes[atom] for atom in group.below]
    touched = sum(_entries(spec, name) for name in group.tensors)
    wide = size * max(below, default=1)  # heads are compared dimension by dimension
    inner = size**2 * sum(_assignment(own) for own in below)
    return 2.0 * touched * wide / _PRODUCTS + 2.0 * touched / _READING + _assignment(size) + inner + _STEP


def _assignment(size: int) -> float:
    return float(_ASSIGNMENT * (size / 4096) ** _POWER)


def _bytes(spec: SymmetrySpec) -> int:
    if is_held(spec):
        return 8 * _COPIES * entries(spec)
    widest = max((spec.sizes[group.atom] for group in free_groups(spec)), default=0)
    largest = max(_entries(spec, name) for name in compared(spec))
    return 4 * _LAID_OUT * largest + 3 * 8 * widest**2  # what units have in common, twice while they are assigned


def _entries(spec: SymmetrySpec, name: str) -> int:
    return int(np.prod([spec.size_of(axis) for axis in spec.tensors[name]], dtype=np.int64))
