"""Networks for digits, and one for the sensors of a telephone: plain chains with ReLU."""

import torch
from torch import nn


class DigitRecognizer(nn.Module):
    """Three convolutions with pooling, two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv_layers = nn.Sequential(*_pooled(1, 32), *_pooled(32, 64), *_pooled(64, 128))
        self.fc_layers = nn.Sequential(nn.Linear(128 * 3 * 3, 256), nn.ReLU(), nn.Linear(256, 10))

    def forward(self, x):
        return self.fc_layers(self.conv_layers(x).flatten(1))


def _pooled(sources, targets):
    return nn.Conv2d(sources, targets, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)


def digit_recognizer():
    return DigitRecognizer(), torch.zeros(2, 1, 28, 28)


def provably_robust():
    module = nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    return module, torch.zeros(2, 1, 28, 28)


def human_activity():
    return nn.Sequential(nn.Linear(561, 500), nn.ReLU(), nn.Linear(500, 6)), torch.zeros(2, 561)
