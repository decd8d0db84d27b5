"""The same function with every channel, unit and head standing several times, for networks of any kind.

What a layer reads is divided by the number of copies. Heads are copied whole: their dimension scales the softmax.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder import Item
from wembed.models import Architecture, ModelDescription
from wembed.models.modules import describe
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.axes import Axis, Product, Sum, atoms_of, axis_size
from wembed.zoo.builder.specs import network_spec

WIDTHS = ("hidden", "widths", "width", "heads", "kv_heads")  # the settings of an architecture that grow


def widened(checkpoint: Checkpoint, spec: SymmetrySpec, times: int) -> Item:
    """A network whose every hidden channel and head stands `times` times side by side, float32.

    Args:
        checkpoint: carries its description.
        spec: its symmetries.
        times: how often.
    """
    description = describe(checkpoint)
    wide = ModelDescription(
        architecture=wider(description.architecture, times), shape=description.shape, classes=description.classes
    )
    copied = {atom.name: times for atom in spec.atoms.values() if _is_copied(spec, atom.name)}
    read = _read_axes(spec)
    tensors = {}
    for name, axes in spec.tensors.items():
        values = checkpoint.read(name).astype(np.float64)
        for number, axis in enumerate(axes):
            values = np.take(values, _sources(axis, copied, spec.sizes), axis=number)
            if number == read.get(name):
                values /= np.prod([copied.get(atom, 1) for atom in atoms_of(axis)])
        tensors[name] = values.astype(np.float32)
    return in_memory(tensors, wide.metadata(), checkpoint.path), network_spec(wide)


def wider(architecture: Architecture, times: int) -> Architecture:
    """An architecture with all widths multiplied."""
    grown = {}
    for name in WIDTHS:
        width = getattr(architecture, name, None)
        if width is not None:
            grown[name] = tuple(times * each for each in width) if isinstance(width, tuple) else times * width
    return type(architecture).model_validate(architecture.model_dump() | grown)


def _is_copied(spec: SymmetrySpec, name: str) -> bool:
    atom = spec.atoms[name]
    return not atom.frozen and not atom.under and atom.kind in ("hidden", "head")


def _read_axes(spec: SymmetrySpec) -> dict[str, int]:
    """Weight -> the axis along which its layer sums."""
    return {
        layer.tensors["weight"]: layer.layout.index("source")
        for layer in spec.layers
        if layer.kind == "dense" and "source" in layer.layout
    }


def _sources(axis: Axis, copied: Mapping[str, int], sizes: Mapping[str, int]) -> NDArray[np.intp]:
    """The index along an axis that each index of the wide one is a copy of."""
    match axis:
        case Product(factors):
            index = np.zeros(1, dtype=np.intp)
            for factor in factors:
                index = (index[:, None] * axis_size(factor, sizes) + _sources(factor, copied, sizes)).reshape(-1)
            return index
        case Sum(terms):
            parts, offset = [], 0
            for term in terms:
                parts.append(_sources(term, copied, sizes) + offset)
                offset += axis_size(term, sizes)
            return np.concatenate(parts)
        case _:
            return np.repeat(np.arange(sizes[axis], dtype=np.intp), copied.get(axis, 1))
