"""CREPE, a pitch tracker: norms stand behind the activations, the flatten before the classifier is a permuted one."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

EPS = 0.0010000000474974513  # TensorFlow's 1e-3 in fp32
CHANNELS = (1, 128, 16, 16, 16, 32, 64)


class Crepe(nn.Module):
    """Six convolutions along time, and 360 pitches."""

    def __init__(self):
        super().__init__()
        for number, (sources, targets) in enumerate(pairwise(CHANNELS), 1):
            kernel, stride = (512, 4) if number == 1 else (64, 1)
            setattr(self, f"conv{number}", nn.Conv2d(sources, targets, (kernel, 1), (stride, 1)))
            setattr(self, f"conv{number}_BN", nn.BatchNorm2d(targets, eps=EPS, momentum=0.0))
        self.classifier = nn.Linear(4 * 64, 360)

    def forward(self, x):
        x = x[:, None, :, None]  # [B, 1, 1024, 1]
        for number in range(1, 7):
            x = F.pad(x, (0, 0, 254, 254) if number == 1 else (0, 0, 31, 32))
            x = F.relu(getattr(self, f"conv{number}")(x))
            x = F.max_pool2d(getattr(self, f"conv{number}_BN")(x), (2, 1), (2, 1))
        x = x.permute(0, 2, 1, 3).reshape(-1, 4 * 64)  # positions, then channels
        return torch.sigmoid(self.classifier(x))


def tiny():
    return Crepe(), torch.zeros(2, 1024)
