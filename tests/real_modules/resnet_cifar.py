"""CIFAR ResNets whose shortcuts drop every second pixel and pad the channels with zeros on both sides."""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two convolutions and a shortcut without weights."""

    def __init__(self, sources, targets, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(sources, targets, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(targets)
        self.conv2 = nn.Conv2d(targets, targets, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(targets)
        self.stride, self.padding = stride, (targets - sources) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return F.relu(x + y)


class ResNet(nn.Module):
    """Three stages of 16, 32 and 64 channels."""

    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks, 1)
        self.layer2 = _stage(16, 32, blocks, 2)
        self.layer3 = _stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def _stage(sources, targets, blocks, stride):
    first = Block(sources, targets, stride)
    return nn.Sequential(first, *(Block(targets, targets, 1) for _ in range(blocks - 1)))


def resnet20():
    return ResNet(3), torch.zeros(2, 3, 32, 32)


def resnet32():
    return ResNet(5), torch.zeros(2, 3, 32, 32)
