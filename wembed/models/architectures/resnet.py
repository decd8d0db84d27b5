"""A small residual network (He et al., arXiv 1512.03385): images through stages of residual blocks to their mean."""

from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from wembed.models.architectures.base import ACTIVATIONS, Activation, BaseArchitecture, Depth, Width, times


class ResNet(BaseArchitecture):
    """Stages of residual blocks with batch norms; every stage but the first halves the pixels to a side.

    Args:
        widths: channels of each stage.
        blocks: of two convolutions each, in every stage.
        activation: behind the first convolution of a block, and behind what its second is added to.
    """

    takes: ClassVar = ("images",)

    kind: Literal["resnet"] = "resnet"
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=6)]
    blocks: Depth = 1
    activation: Activation = "relu"

    @property
    def label(self) -> str:
        """Such as resnet-relu-b1-8x16: blocks of a stage, widths."""
        return f"resnet-{self.activation}-b{self.blocks}-{times(self.widths)}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """See BaseArchitecture."""
        channels, height, width = self.image_shape(shape)
        first = self.widths[0]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            images=nn.Unflatten(1, (channels, height, width)),
            conv1=nn.Conv2d(channels, first, 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(first),
            act1=ACTIVATIONS[self.activation](),
        )
        source = first
        for number, target in enumerate(self.widths):
            blocks = []
            for block in range(self.blocks):
                blocks.append(_Block(source, target, 2 if number and not block else 1, self.activation))
                source = target
            layers[f"layer{number + 1}"] = nn.Sequential(*blocks)
        layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(source, classes)}
        return nn.Sequential(layers)


class _Block(nn.Module):
    """Two convolutions beside a way around them, which is projected where channels or pixels change."""

    def __init__(self, source: int, target: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(source, target, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(target)
        self.conv2 = nn.Conv2d(target, target, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(target)
        self.act = ACTIVATIONS[activation]()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or source != target:
            self.shortcut = nn.Sequential(nn.Conv2d(source, target, 1, stride, bias=False), nn.BatchNorm2d(target))

    def forward(self, values: Tensor) -> Tensor:
        inner = self.act(self.bn1(self.conv1(values)))  # [B, target, H / stride, W / stride]
        added: Tensor = self.act(self.bn2(self.conv2(inner)) + self.shortcut(values))
        return added
