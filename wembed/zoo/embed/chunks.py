"""Checkpoints in, in any order; chunks out, of few structures and of bounded size, for an encoder to take at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Sized(Protocol):
    """Something that holds parameters."""

    @property
    def parameters(self) -> int:
        """How many."""


Item = TypeVar("Item")
SizedItem = TypeVar("SizedItem", bound=Sized)


@dataclass(frozen=True)
class Bounds:
    """How much is held at once.

    Args:
        checkpoints: at most.
        parameters: at most, of all of them together; a checkpoint that holds more comes alone.
    """

    checkpoints: int
    parameters: int


REACH = Bounds(512, 64_000_000)  # opened ahead: headers, but of some kinds of file the tensors too, 256 MB in float32
CHUNK = Bounds(128, 4_000_000)  # embedded at once and written in one commit; 32 MB in float64


def within(bounds: Bounds, items: Iterable[SizedItem]) -> Iterator[list[SizedItem]]:
    """Gives items some at a time, in their order, as many as the bounds allow."""
    part: list[SizedItem] = []
    held = 0
    for item in items:
        if part and (len(part) == bounds.checkpoints or held + item.parameters > bounds.parameters):
            yield part
            part, held = [], 0
        part.append(item)
        held += item.parameters
    if part:
        yield part


def alike_together(items: Sequence[Item], structure: Callable[[Item], str]) -> list[Item]:
    """Gives items with those of one structure behind each other, each structure where its first one stood."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(structure(item), []).append(item)
    return [item for group in groups.values() for item in group]
