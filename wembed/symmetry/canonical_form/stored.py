"""A layer's weight as it lies in the file: boxes of it in, [t, s, K] out, with no more read than the box at hand."""

from dataclasses import dataclass
from functools import cached_property

from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry.action.cells import Cell
from wembed.symmetry.action.channels import Channels
from wembed.symmetry.canonical_form.boxes import Box
from wembed.symmetry.canonical_form.layout import Layout, Real, taps_of
from wembed.symmetry.spec import Layer, SymmetrySpec
from wembed.symmetry.stacks import read_tensor, read_tensor_slice


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """Where a dense layer's weight is read from.

    Args:
        checkpoint: the file.
        spec: its symmetries.
        layer: one of its layers.
        rows: what its targets are.
        columns: what its sources are.
    """

    checkpoint: Checkpoint
    spec: SymmetrySpec
    layer: Layer
    rows: Channels
    columns: Channels

    @cached_property
    def taps(self) -> tuple[str, ...]:
        """The atoms of its taps."""
        return taps_of(self.spec, Cell.of(self.spec, self.layer, "weight"), self.rows, self.columns)

    @cached_property
    def layout(self) -> Layout:
        """How it lies in the tensor."""
        return Layout.of(Cell.of(self.spec, self.layer, "weight"), self.rows, self.columns, self.taps)

    @property
    def is_double(self) -> bool:
        """Whether the file's numbers may be too large or too small for float32 before they are scaled."""
        return self.checkpoint.tensors[self.spec.stacks.get(self._name, (self._name,))[0]].dtype == "F64"

    def read(self, box: Box, dtype: type[Real]) -> NDArray[Real]:
        """A box [t, s, K] of it; the array is the caller's.

        Raises:
            CheckpointRefusedError: a value that is not finite.
        """
        layout = self.layout
        if box == layout.whole:
            return layout.laid(layout.taken(read_tensor(self.checkpoint, self.spec, self._name)), box, dtype)
        shape = tuple(map(self.spec.size_of, self.spec.tensors[self._name]))
        values = read_tensor_slice(self.checkpoint, self.spec, self._name, layout.index(box, shape))
        return layout.laid(values, box, dtype)

    @property
    def _name(self) -> str:
        return self.layer.tensors["weight"]
