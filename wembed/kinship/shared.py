"""Two networks in; the tensors that they have in common, by name, read when asked, out.

Small networks of one structure are brought into common scales and held in memory, so that they can be matched. Of large
ones, and of different structures, one tensor of each is read at a time, as it is in the file. What was cut off or added
along an axis whose indices have their own places (a vocabulary, classes) does not count: the rest is compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.encoder import Item
from wembed.kinship.rounding import rounding
from wembed.merging.gauge import scale_action
from wembed.merging.tensors import Tensors, acted, tensors_of
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.axes import Axis
from wembed.symmetry.stacks import read_tensor

_GROWING = ("vocabulary", "input", "output")
LARGEST_MATCHED = 16_000_000  # parameters of a network: the time goes with them, some 3 s for each million

Values = NDArray[np.floating]
Read = Callable[[str], Values]


@dataclass(frozen=True)
class Matchable:
    """Two networks of one structure, whole, float64.

    Args:
        first: in the scales in which networks of its structure are compared.
        second: in the same.
        as_stored: the second with the factors that the first got, so that what is equal in the files stays equal.
    """

    first: Tensors
    second: Tensors
    as_stored: Tensors


@dataclass(frozen=True)
class Shared:
    """What two networks have in common.

    Args:
        spec: the symmetries of the first.
        names: the tensors of the spec that both have.
        first: reads a tensor of the first network as it is in the file.
        second: reads the same of the second, of the same shape.
        matchable: all of both; None where they are too large, or differ in structure.
        rounding: name -> the unit roundoff of the coarser of the two tensors.
        differing: how many tensors are only in one of the two, or differ in shape; beside the spec, in values.
        apart: those that the spec does not speak of and that are not the same in both.
    """

    spec: SymmetrySpec
    names: tuple[str, ...]
    first: Read
    second: Read
    matchable: Matchable | None
    rounding: Callable[[str], float]
    differing: int
    apart: frozenset[str]


def share(first: Item, second: Item) -> Shared:
    """What two networks have in common."""
    spec = common_symmetries(first, second)
    checkpoints = first[0], second[0]
    shapes = [_shapes(checkpoint, spec) for checkpoint in checkpoints]
    cut = {name: _common_shape(spec, name, *(found.get(name) for found in shapes)) for name in spec.tensors}
    names = tuple(name for name, shape in cut.items() if shape is not None)
    differing = sum(cut[name] is None or shapes[0].get(name) != shapes[1].get(name) for name in spec.tensors)
    one, other = (_cutting(checkpoint, spec, cut) for checkpoint in checkpoints)
    fits = (
        not differing
        and not spec.stacks
        and max(checkpoint.parameters for checkpoint in checkpoints) <= LARGEST_MATCHED
    )
    matchable = _matchable(checkpoints, spec) if fits else None
    apart = apart_beside(checkpoints, spec)
    return Shared(
        spec,
        names,
        one,
        other,
        matchable,
        rounding(checkpoints, spec),
        differing + len(apart),
        apart,
    )


def _matchable(checkpoints: tuple[Checkpoint, Checkpoint], spec: SymmetrySpec) -> Matchable:
    own, other = (scale_action(checkpoint, spec) for checkpoint in checkpoints)
    first, second = (tensors_of(checkpoint, spec) for checkpoint in checkpoints)
    return Matchable(acted(own, spec, first), acted(other, spec, second), acted(own, spec, second))


def common_symmetries(first: Item, second: Item) -> SymmetrySpec:
    """The spec that both are read with: the first one's, unless that was only inferred and the second's is known."""
    spec, other = first[1], second[1]
    is_better = spec.tier == "inferred" and other.tier != "inferred" and are_of_one_structure(first, second)
    return other if is_better else spec


def are_of_one_structure(first: Item, second: Item) -> bool:
    """Whether two networks have the same tensors by name and shape."""
    own, other = (
        {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
        for checkpoint, _ in (first, second)
    )
    return own == other


def _shapes(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, tuple[int, ...]]:
    found = {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
    for name, members in spec.stacks.items():
        if all(member in found for member in members):
            found[name] = (len(members), *found[members[0]])
    return found


def apart_beside(checkpoints: tuple[Checkpoint, Checkpoint], spec: SymmetrySpec) -> frozenset[str]:
    """The tensors that the spec does not speak of and that are in one network only, or are not the same in both.

    Quantised weights that cannot be read as such count where both have them, by their bytes.
    """
    members = {member for stack in spec.stacks.values() for member in stack}
    first, second = (
        {name for name, info in checkpoint.tensors.items() if info.is_floating and name not in spec.tensors} - members
        for checkpoint in checkpoints
    )
    one, other = checkpoints
    apart = {name for name in first & second if not np.array_equal(one.read(name), other.read(name))}
    stored = _quantised(one) & _quantised(other)
    apart |= {name for name in stored if not np.array_equal(one.read_stored(name), other.read_stored(name))}
    return frozenset(apart | (first ^ second))


def _quantised(checkpoint: Checkpoint) -> set[str]:
    """Those that may be weights which cannot be read as such: no counters, positions or other indices."""
    return {
        name
        for name, info in checkpoint.tensors.items()
        if not info.is_floating and len(info.shape) > 1 and info.dtype != "I64"
    }


def _common_shape(
    spec: SymmetrySpec, name: str, first: tuple[int, ...] | None, second: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The shape that both have after what is only in one is cut off; None if they have none in common."""
    if first is None or second is None or len(first) != len(second):
        return None
    for axis, size, other in zip(spec.tensors[name], first, second, strict=True):
        if size != other and not _grows(spec, axis):
            return None
    common = tuple(map(min, first, second))
    return common if all(common) else None


def _grows(spec: SymmetrySpec, axis: Axis) -> bool:
    """Whether indices that are added to an axis leave the others where they are."""
    return isinstance(axis, str) and bool(spec.atoms[axis].frozen) and spec.atoms[axis].kind in _GROWING


def _cutting(checkpoint: Checkpoint, spec: SymmetrySpec, cut: dict[str, tuple[int, ...] | None]) -> Read:
    def read(name: str) -> Values:
        values = read_tensor(checkpoint, spec, name)
        found: Values = np.asarray(values[tuple(slice(size) for size in cut[name] or ())], dtype=values.dtype)
        return found

    return read
