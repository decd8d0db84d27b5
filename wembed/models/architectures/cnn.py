"""The plain convolutional network: images through convolutions, each halving the pixels perhaps, to a linear layer."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from torch import nn

from wembed.models.architectures.base import ACTIVATIONS, Chain, times

_POOLED_TO = 2  # pixels: smaller images are not halved any more


def _shortest(given: object) -> object:
    """One number for all layers where all have the same, so that one network has one label."""
    if isinstance(given, list | tuple) and len(given) > 0 and all(value == given[0] for value in given):
        return given[0]
    return given


_Kernel = Literal[1, 3, 5]
_Kernels = Annotated[tuple[_Kernel, ...], Field(max_length=16)]
_Stride = Literal[1, 2]
_Strides = Annotated[tuple[_Stride, ...], Field(max_length=16)]
_Shortest = BeforeValidator(_shortest)


class CNN(Chain):
    """Convolutions that keep the size of their images, but for their strides and the pooling behind each.

    Args:
        kernel: 1, 3 or 5 pixels to a side; one for all layers or one for each.
        strides: 1 or 2; one for all layers or one for each.
        pooling: whether the largest of every 2 x 2 pixels is kept behind each layer, while there are more than that.
        head: what the last layer reads: all pixels, or the mean over them.
        norm: what stands between a convolution and its activation.
    """

    takes: ClassVar = ("images",)

    kind: Literal["cnn"] = "cnn"
    norm: Literal["none", "batch"] = "none"
    kernel: Annotated[_Kernel | _Kernels, _Shortest] = 3
    strides: Annotated[_Stride | _Strides, _Shortest] = 1
    pooling: Literal["max", "none"] = "max"
    head: Literal["flatten", "mean"] = "flatten"

    @model_validator(mode="after")
    def _check_lengths(self) -> "CNN":
        for name, values in (("kernel", self.kernel), ("strides", self.strides)):
            if isinstance(values, tuple) and len(values) != len(self.hidden):
                raise ValueError(f"{name} has {len(values)} entries for {len(self.hidden)} layers")
        return self

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """Convolution, norm, activation, pooling, and so on; see BaseArchitecture."""
        channels, height, width = self.image_shape(shape)
        layers: list[nn.Module] = [nn.Unflatten(1, shape)]
        kernels, strides = self._each(self.kernel), self._each(self.strides)
        for target, kernel, stride in zip(self.hidden, kernels, strides, strict=True):
            layers.append(nn.Conv2d(channels, target, kernel, stride, padding=kernel // 2))
            layers += [nn.BatchNorm2d(target)] if self.norm == "batch" else []
            layers.append(ACTIVATIONS[self.activation]())
            channels, height, width = target, -(-height // stride), -(-width // stride)
            if self.pooling == "max" and min(height, width) > _POOLED_TO:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
        if self.head == "mean":
            return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, classes))

    def _each(self, values: tuple[int, ...] | int) -> tuple[int, ...]:
        return values if isinstance(values, tuple) else (values,) * len(self.hidden)

    def _words(self) -> list[str]:
        """What is not as it is by default."""
        return [
            *([f"k{times(self.kernel)}"] if self.kernel != 3 else []),
            *([f"s{times(self.strides)}"] if self.strides != 1 else []),
            *(["nopool"] if self.pooling == "none" else []),
            *(["mean"] if self.head == "mean" else []),
        ]
