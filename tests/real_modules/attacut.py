"""AttaCut, which cuts Thai text into words: dilated convolutions side by side, of which the largest counts."""

import torch
from torch import nn
from torch.nn import functional as F


class Dilated(nn.Module):
    """A convolution that keeps the length."""

    def __init__(self, kernel, dilation):
        super().__init__()
        self.conv = nn.Conv1d(48, 196, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)

    def forward(self, x):
        return F.relu(self.conv(x))


class AttaCut(nn.Module):
    """Whether a word begins at each character."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(139, 48, padding_idx=0)
        self.conv1, self.conv2, self.conv3 = Dilated(3, 1), Dilated(5, 3), Dilated(9, 2)
        self.linear1, self.linear2 = nn.Linear(196, 32), nn.Linear(32, 1)

    def forward(self, characters):
        x = self.embeddings(characters).transpose(1, 2)  # [B, 48, T]
        x = torch.stack([self.conv1(x), self.conv2(x), self.conv3(x)]).amax(0)
        return self.linear2(F.relu(self.linear1(x.transpose(1, 2))))[..., 0]


def characters():
    return AttaCut(), torch.zeros(2, 24, dtype=torch.long)
