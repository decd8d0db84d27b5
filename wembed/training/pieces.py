"""The networks of a step in; pieces that are run one after the other out, smaller ones when memory runs out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from wembed.device import free_unused, is_out_of_memory
from wembed.errors import WembedError
from wembed.training.kin import Numbers
from wembed.training.pool import Networks

Result = TypeVar("Result")
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Piece:
    """Some networks of one structure.

    Args:
        networks: they.
        places: theirs among those of their step.
        masks: of dropouts in the order of the calls: number of the dropout, and its mask for these networks.
    """

    networks: Networks
    places: Numbers
    masks: tuple[tuple[int, Tensor], ...] = ()


@dataclass
class Share:
    """How many parts a step's networks are run in; it grows when memory runs out.

    Args:
        parts: their number.
        device: whose memory it is.
        warn: told, in words, when there are more.
    """

    parts: int
    device: torch.device
    warn: Warn = field(default=lambda text: None)

    def fitted(self, work: Callable[[int], Result], networks: int) -> Result:
        """What some work gives in so many parts, in twice as many where memory runs out, and so on.

        Raises:
            WembedError: there is not enough for one network.
        """
        while True:
            try:
                return work(self.parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            free_unused(self.device)  # no reference to what failed is left here: its memory is free
            if self.parts >= networks:
                message = f"out of memory on {self.device}, with one network at a time"
                raise WembedError(message, "try a smaller --hidden-dim, or fewer --probes")
            self.parts *= 2
            size = -(-networks // self.parts)
            text = f"at most {size} networks are run at once now, a step in {self.parts} parts"
            self.warn(f"out of memory on {self.device}: {text}")


def cut(pieces: Sequence[Piece], parts: int) -> list[Piece]:
    """Pieces of at most so many networks that they come in about so many parts; for one part they stay."""
    if parts == 1:
        return list(pieces)
    size = max(1, -(-networks_of(pieces) // parts))
    return [
        _rows(piece, start, min(start + size, len(piece.places)))
        for piece in pieces
        for start in range(0, len(piece.places), size)
    ]


def networks_of(pieces: Sequence[Piece]) -> int:
    """How many networks pieces have."""
    return sum(len(piece.places) for piece in pieces)


def _rows(piece: Piece, start: int, end: int) -> Piece:
    """Some of the networks of a piece, in their order."""
    if (start, end) == (0, len(piece.places)):
        return piece
    networks = piece.networks.select(torch.arange(start, end))
    masks = tuple((number, mask[start:end]) for number, mask in piece.masks)
    return Piece(networks, piece.places[start:end], masks)
