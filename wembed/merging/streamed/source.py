"""One of the networks of a merge in; its floating-point tensors out, one at a time, moved if they are to be moved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.checkpoint.dtypes import Array, to_values
from wembed.merging.methods.blocks import Values
from wembed.symmetry import Action, SymmetrySpec, apply_action
from wembed.symmetry.stacks import stored_shapes

_DTYPES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}


@dataclass(frozen=True)
class Source:
    """A network that is merged.

    Args:
        checkpoint: where it lies.
        action: what brings it into the order and scales of the others; it is carried out tensor by tensor.
        spec: that the action belongs to.

    Raises:
        ValueError: an action without a spec.
    """

    checkpoint: Checkpoint
    action: Action | None = None
    spec: SymmetrySpec | None = None

    def __post_init__(self) -> None:
        """Check what belongs together."""
        if self.action and self.spec is None:
            raise ValueError("an action needs its spec")

    @property
    def order(self) -> list[str]:
        """The floating-point tensors that an action gives, in the order in which it does."""
        if self.action is None or self.spec is None:
            return []
        infos = self.checkpoint.tensors
        return [name for name in stored_shapes(self.spec) if name in infos and infos[name].is_floating]

    def tensors(self, names: Sequence[str]) -> "Iterator[Elements]":
        """Tensors in an order that has those of the spec in the spec's order; each is read when it is asked for."""
        acted = self._acted()
        own = set(self.order)
        for name in names:
            if name not in own:
                yield self._as_it_is(name)
                continue
            values = next((values for found, values in acted if found == name), None)
            if values is None:
                raise ValueError(f"tensor {name!r} is asked for out of the order of its spec")
            yield self._moved(name, values)

    def _acted(self) -> Iterator[tuple[str, Array]]:
        if self.action is None or self.spec is None:
            return iter(())
        read = self.checkpoint.read_stored if self._only_permutes else self.checkpoint.read
        return apply_action(self.action, self.spec, read)

    @property
    def _only_permutes(self) -> bool:
        action = self.action
        return action is not None and not (action.scales or action.mixes or action.turns or action.shifts)

    def _as_it_is(self, name: str) -> "Elements":
        dtype = self.checkpoint.tensors[name].dtype
        return Elements(self.checkpoint, name, dtype, self.checkpoint.read_stored(name).reshape(-1))

    def _moved(self, name: str, values: Array) -> "Elements":
        dtype = self.checkpoint.tensors[name].dtype if self._only_permutes else _DTYPES[values.dtype]
        return Elements(self.checkpoint, name, dtype, values.reshape(-1))


@dataclass(frozen=True)
class Elements:
    """The elements of one tensor of one network, [N], as they lie in its file or in memory.

    Args:
        checkpoint: that they are of.
        name: of the tensor.
        dtype: a safetensors dtype name.
        stored: the elements, of any encoding; a view of the file where that can be.
    """

    checkpoint: Checkpoint
    name: str
    dtype: str
    stored: Array

    def values(self, part: slice) -> Values:
        """The numbers that some of the elements stand for; not to be written to.

        Raises:
            CheckpointRefusedError: one of them is not finite.
        """
        values: Values = to_values(self.dtype, self.stored[part])  # type: ignore[assignment]
        if not np.isfinite(values).all():
            self.checkpoint.read(self.name)  # says where
            raise ValueError(f"tensor {self.name!r} is not finite after it was moved")
        return values
