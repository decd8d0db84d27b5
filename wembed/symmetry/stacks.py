"""Tensors that a file keeps in slices: a mixture of experts has one weight for each expert on disk, one for all here.

A spec speaks of the stacked tensor [E, ...], a virtual one; its `stacks` say which tensors of the file it is made of.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry.spec import SymmetrySpec

Values = NDArray[np.generic]


def stored_shapes(spec: SymmetrySpec) -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor that a file of this spec holds."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, axes in spec.tensors.items():
        shape = tuple(map(spec.size_of, axes))
        members = spec.stacks.get(name)
        shapes |= dict.fromkeys(members, shape[1:]) if members else {name: shape}
    return shapes


def read_tensor(checkpoint: Checkpoint, spec: SymmetrySpec, name: str) -> Values:
    """The values of a tensor of a spec, stacked along its first axis where the file keeps it in slices."""
    return stacked_reader(spec, checkpoint.read)(name)


def read_tensor_slice(
    checkpoint: Checkpoint, spec: SymmetrySpec, name: str, index: Sequence[slice | NDArray[np.intp]]
) -> Values:
    """The values of a part of a tensor of a spec: for each axis a slice, or the numbers of its indices."""
    members = spec.stacks.get(name)
    if not members:
        return checkpoint.read_slice(name, index)
    chosen = np.arange(len(members))[index[0]]
    return np.stack([checkpoint.read_slice(members[number], index[1:]) for number in chosen])


def stacked_reader(spec: SymmetrySpec, read: Callable[[str], Values]) -> Callable[[str], Values]:
    """Reads the tensors of a spec through a function that reads those of the file."""

    def read_stacked(name: str) -> Values:
        members = spec.stacks.get(name)
        return np.stack([read(member) for member in members]) if members else read(name)

    return read_stacked


def stored_parts(spec: SymmetrySpec, name: str, values: Values) -> Iterator[tuple[str, Values]]:
    """A tensor of a spec as the file keeps it: itself, or its slices along the first axis under their own names."""
    members = spec.stacks.get(name)
    yield from zip(members, values, strict=True) if members else [(name, values)]
