"""Recurrent networks over the rows of an image, from the top: the last state goes through a linear layer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from wembed.models.architectures.base import BaseArchitecture, Width


class _Recurrent(BaseArchitecture):
    """A recurrent network that reads an image row by row.

    Args:
        width: of the state.
        layers: one above the other.
    """

    takes: ClassVar = ("images",)
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]]

    width: Width = 32
    layers: Annotated[int, Field(ge=1, le=8)] = 1

    @property
    def label(self) -> str:
        """Such as gru-l1-32: layers, width."""
        return f"{self.kind}-l{self.layers}-{self.width}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """See BaseArchitecture."""
        channels, height, width = self.image_shape(shape)
        cell = self.cell(channels * width, self.width, self.layers, batch_first=True)
        return _Rows(cell, (channels, height, width), nn.Linear(self.width, classes))


class GRU(_Recurrent):
    """Gated recurrent units (Cho et al., arXiv 1406.1078)."""

    kind: Literal["gru"] = "gru"
    cell = nn.GRU


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    kind: Literal["lstm"] = "lstm"
    cell = nn.LSTM


class _Rows(nn.Module):
    def __init__(self, rnn: nn.GRU | nn.LSTM, shape: tuple[int, int, int], head: nn.Linear) -> None:
        super().__init__()
        self.images = nn.Unflatten(1, shape)
        self.rnn = rnn
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        rows = self.images(inputs).transpose(1, 2).flatten(2)  # [B, H, C * W]
        states, _ = self.rnn(rows)  # [B, H, D]
        logits: Tensor = self.head(states[:, -1])  # [B, classes]
        return logits
