"""One tensor of every network in; its blocks out, as methods of merging go through them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wembed.merging.methods import Block
from wembed.merging.streamed.source import Elements

BLOCK = 1 << 16  # elements; a handful of float32 arrays of it fit into the second level of a processor's cache


@dataclass(frozen=True)
class StoredBlocks:
    """The blocks of a tensor that lies in files.

    Args:
        tensors: of the networks that are merged.
        base: of their base.
        length: elements in a block.
    """

    tensors: Sequence[Elements]
    base: Elements | None
    length: int = BLOCK

    @property
    def size(self) -> int:
        """How many elements the tensor has."""
        return self.tensors[0].stored.size

    @property
    def networks(self) -> int:
        """How many networks are merged, without the base."""
        return len(self.tensors)

    def __iter__(self) -> Iterator[Block]:
        """All elements in order."""
        for begin in range(0, self.size, self.length):
            yield self._block(slice(begin, begin + self.length))

    def sample(self, step: int) -> Block:
        """Every `step`-th element."""
        return self._block(slice(None, None, step))

    def _block(self, part: slice) -> Block:
        return Block([tensor.values(part) for tensor in self.tensors], self.base.values(part) if self.base else None)
