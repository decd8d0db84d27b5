"""A small mobile network (MobileNetV2, arXiv 1801.04381): images through inverted residual blocks to their mean.

With ReLU instead of ReLU6, whose cut would forbid to rescale its channels.
"""

from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from wembed.models.architectures.base import ACTIVATIONS, Activation, BaseArchitecture, Depth, Width, times


class Mobile(BaseArchitecture):
    """Stages of inverted residual blocks; every stage but the first halves the pixels to a side.

    Args:
        widths: channels of each stage.
        blocks: in every stage.
        expansion: channels inside a block, over those before it; at 1 a block is a depthwise separable convolution.
        activation: inside the blocks.
    """

    takes: ClassVar = ("images",)

    kind: Literal["mobile"] = "mobile"
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=6)]
    blocks: Depth = 1
    expansion: Annotated[int, Field(ge=1, le=8)] = 2
    activation: Activation = "relu"

    @property
    def label(self) -> str:
        """Such as mobile-relu-b1-e2-8x16: blocks of a stage, expansion, widths."""
        return f"mobile-{self.activation}-b{self.blocks}-e{self.expansion}-{times(self.widths)}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """See BaseArchitecture."""
        channels, height, width = self.image_shape(shape)
        first = self.widths[0]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            images=nn.Unflatten(1, (channels, height, width)),
            stem=nn.Sequential(*_convolution(channels, first, 3, activation=self.activation)),
        )
        source = first
        for number, target in enumerate(self.widths):
            blocks = []
            for block in range(self.blocks):
                stride = 2 if number and not block else 1
                blocks.append(_Block(source, target, self.expansion * source, stride, self.activation))
                source = target
            layers[f"stage{number + 1}"] = nn.Sequential(*blocks)
        layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "classifier": nn.Linear(source, classes)}
        return nn.Sequential(layers)


class _Block(nn.Module):
    """Expand, convolve every channel by itself, project; added to what came in where that has the same shape."""

    def __init__(self, source: int, target: int, inner: int, stride: int, activation: Activation) -> None:
        super().__init__()
        expand = _convolution(source, inner, 1, activation=activation) if inner != source else []
        depthwise = _convolution(inner, inner, 3, stride, groups=inner, activation=activation)
        self.layers = nn.Sequential(*expand, *depthwise, *_convolution(inner, target, 1))
        self.is_residual = stride == 1 and source == target

    def forward(self, values: Tensor) -> Tensor:
        made: Tensor = self.layers(values)  # [B, target, H / stride, W / stride]
        return values + made if self.is_residual else made


def _convolution(
    source: int, target: int, kernel: int, stride: int = 1, groups: int = 1, activation: Activation | None = None
) -> list[nn.Module]:
    layer = nn.Conv2d(source, target, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(target), *([ACTIVATIONS[activation]()] if activation else [])]
