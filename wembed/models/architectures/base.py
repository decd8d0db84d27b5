"""What all architectures share: a few words about a network in; its module and a short name out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

Width = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=1, le=16)]
Hidden = Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]
Activation = Literal["relu", "leaky_relu", "tanh", "gelu", "silu"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
_NORM_LABELS = {"none": "", "batch": "-bn", "layer": "-ln"}


class BaseArchitecture(BaseModel, ABC):
    """A kind of network and its settings; `takes` says which kinds of data it is for.

    Args:
        kind: which one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    takes: ClassVar[tuple[Literal["table", "images", "text"], ...]]
    stackable: ClassVar[bool] = False  # a plain Sequential, many of which are trained at once

    kind: str

    @property
    @abstractmethod
    def label(self) -> str:
        """A short name, such as mlp-relu-32x32, that no other setting has."""

    @abstractmethod
    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A freshly initialised network: [B, F] to logits [B, classes], of text [B, T] to [B, T', classes].

        Args:
            shape: of one input, see Dataset; images come flattened.
            classes: number of labels; of text the size of the vocabulary.

        Raises:
            ValueError: it takes no inputs of this shape.
            WembedError: a library that it needs is not installed.
        """

    def image_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Channels, height and width.

        Raises:
            ValueError: these are no images.
        """
        if len(shape) != 3:
            raise ValueError(f"{self.label} takes images, found inputs of shape {shape}")
        return shape


class Chain(BaseArchitecture):
    """Layers one behind the other, in a plain Sequential.

    Args:
        hidden: width of every hidden layer: features of an MLP, channels of a CNN.
        activation: behind every hidden layer.
        norm: what stands between a hidden layer and its activation.
    """

    stackable: ClassVar[bool] = True

    hidden: Hidden
    activation: Activation = "relu"
    norm: Literal["none", "batch", "layer"] = "none"

    @model_validator(mode="before")
    @classmethod
    def _read_old_norm(cls, given: object) -> object:
        """`batch_norm: true` is how files and manifests of older versions say `norm: batch`."""
        if not isinstance(given, dict) or "norm" in given or not isinstance(given.get("batch_norm"), bool):
            return given
        rest = {name: value for name, value in given.items() if name != "batch_norm"}
        return rest | {"norm": "batch" if given["batch_norm"] else "none"}

    @property
    def label(self) -> str:
        """A short name that ends with the widths, such as cnn-relu-bn-k5-8x16."""
        words = "".join(f"-{word}" for word in self._words())
        return f"{self.kind}-{self.activation}{_NORM_LABELS[self.norm]}{words}-{times(self.hidden)}"

    def _words(self) -> list[str]:
        return []


def times(sizes: tuple[int, ...] | int) -> str:
    """Sizes as a label writes them: 8x16."""
    return "x".join(map(str, sizes if isinstance(sizes, tuple) else (sizes,)))
