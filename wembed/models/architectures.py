"""Architectures as data: a few words that build a plain Sequential, and the order of its steps for its symmetries.

The Sequential is the one description: its children say what runs after what, to whoever declares a spec or trains many
of them at once.
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

Width = Annotated[int, Field(ge=1, le=4096)]
Activation = Literal["relu", "leaky_relu", "tanh", "gelu", "silu"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

_STEP_OF_LAYER = {nn.MaxPool2d: "max_pool", nn.Flatten: "flatten"} | {
    type(make()): name for name, make in ACTIVATIONS.items()
}
_NO_STEP = nn.Unflatten  # only gives flat inputs the shape of images
_POOLED_TO = 2  # pixels: smaller images are not halved any more


class Architecture(BaseModel):
    """A plain chain: an MLP, or a CNN whose 3 x 3 convolutions are each followed by max pooling while pixels last.

    Args:
        kind: mlp or cnn.
        hidden: width of every hidden layer: features of an MLP, channels of a CNN.
        activation: behind every hidden layer.
        batch_norm: whether a batch norm stands between a hidden layer and its activation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mlp", "cnn"]
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]
    activation: Activation = "relu"
    batch_norm: bool = False

    @property
    def label(self) -> str:
        """A short name, such as mlp-relu-32x32."""
        norm = "-bn" if self.batch_norm else ""
        return f"{self.kind}-{self.activation}{norm}-{'x'.join(map(str, self.hidden))}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """A freshly initialised network from flat inputs [B, F] to logits [B, classes].

        Args:
            shape: of one input, see Dataset; a CNN takes images only.
            classes: number of labels.

        Raises:
            ValueError: a CNN for what is no image.
        """
        layers = self._mlp(math.prod(shape), classes) if self.kind == "mlp" else self._cnn(shape, classes)
        return nn.Sequential(*layers)

    def _mlp(self, features: int, classes: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for width in self.hidden:
            layers += [nn.Linear(features, width), *self._behind(nn.BatchNorm1d, width)]
            features = width
        return [*layers, nn.Linear(features, classes)]

    def _cnn(self, shape: tuple[int, ...], classes: int) -> list[nn.Module]:
        if len(shape) != 3:
            raise ValueError(f"{self.label} takes images, found inputs of shape {shape}")
        channels, height, width = shape
        layers: list[nn.Module] = [nn.Unflatten(1, shape)]
        for target in self.hidden:
            layers += [nn.Conv2d(channels, target, 3, padding=1), *self._behind(nn.BatchNorm2d, target)]
            channels = target
            if min(height, width) > _POOLED_TO:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
        return [*layers, nn.Flatten(), nn.Linear(channels * height * width, classes)]

    def _behind(self, norm: Callable[[int], nn.Module], width: int) -> list[nn.Module]:
        return [*([norm(width)] if self.batch_norm else []), ACTIVATIONS[self.activation]()]


def chain_steps(module: nn.Sequential) -> list[str]:
    """The steps of a network in the words of `symmetry.declare_spec`: modules, activations, max_pool, flatten."""
    return [
        _STEP_OF_LAYER.get(type(layer), name)
        for name, layer in module.named_children()
        if not isinstance(layer, _NO_STEP)
    ]
