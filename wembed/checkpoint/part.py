"""One data file of a checkpoint, whatever its format: what it holds, and how to read a tensor of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from wembed.checkpoint.dtypes import Array
from wembed.checkpoint.header import TensorInfo


@dataclass(frozen=True)
class Part:
    """The tensors of one data file, under the names that the file gives them.

    Args:
        tensors: by name, in the file's order.
        metadata: text that stands beside the weights.
        read: gives the storage of a tensor, by name; it may lie unaligned, and writing to it is not allowed.
        notices: what was unwrapped or left out on opening.
    """

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    read: Callable[[str], Array]
    notices: list[str] = field(default_factory=list)
