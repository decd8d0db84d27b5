"""The ResNets of CIFAR-10: three stages, and shortcuts without weights that pad the new channels with zeros.

After He et al. 2016, section 4.2 (option A).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wembed.models.foreign import Runnable

_WIDTHS = (16, 32, 64)


class _Block(nn.Module):
    def __init__(self, sources: int, targets: int) -> None:
        super().__init__()
        self.grows = targets - sources
        self.conv1 = nn.Conv2d(sources, targets, 3, 2 if self.grows else 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(targets)
        self.conv2 = nn.Conv2d(targets, targets, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(targets)

    def forward(self, images: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(images)))
        if self.grows:
            half = self.grows // 2
            images = functional.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, half, half))  # [B, C, H / 2, W / 2]
        return torch.relu(self.bn2(self.conv2(inner)) + images)


class _ResNet(nn.Module):
    def __init__(self, depths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        sources = _WIDTHS[0]
        for stage, (depth, width) in enumerate(zip(depths, _WIDTHS, strict=True), start=1):
            blocks = [_Block(sources if number == 0 else width, width) for number in range(depth)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            sources = width
        self.linear = nn.Linear(sources, classes)

    def forward(self, images: Tensor) -> Tensor:
        images = torch.relu(self.bn1(self.conv1(images)))
        for stage in range(1, 4):
            images = self.get_submodule(f"layer{stage}")(images)
        logits: Tensor = self.linear(images.mean((2, 3)))  # [B, classes]
        return logits


def cifar_resnet(depths: tuple[int, int, int]) -> Runnable:
    """A ResNet of so many blocks in each stage."""
    return Runnable("cifar_resnet", lambda: _ResNet(depths, 10).eval(), (torch.zeros(2, 3, 32, 32),))
