"""silero VAD at 16 kHz: a filter bank, convolutions, and an LSTM cell that is stepped from chunk to chunk."""

import torch
from torch import nn
from torch.nn import functional as F

CHUNK = 576  # samples, of which 64 are the end of the chunk before
BINS = 129


class Silero(nn.Module):
    """The probability of speech, chunk by chunk."""

    def __init__(self):
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * BINS, 256, 128, bias=False)
        self.conv1 = nn.Conv1d(BINS, 128, 3, 1, 1)
        self.conv2 = nn.Conv1d(128, 64, 3, 2, 1)
        self.conv3 = nn.Conv1d(64, 64, 3, 2, 1)
        self.conv4 = nn.Conv1d(64, 128, 3, 1, 1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, x):
        """Probabilities [B, T] of chunks [B, T, 576]."""
        state = (x.new_zeros(x.shape[0], 128), x.new_zeros(x.shape[0], 128))
        steps = []
        for step in range(x.shape[1]):
            state = self.lstm_cell(self._encoded(x[:, step]), state)
            steps.append(torch.sigmoid(self.final_conv(F.relu(state[0])[:, :, None])).mean((1, 2)))
        return torch.stack(steps, 1)

    def _encoded(self, chunk):
        x = self.stft_conv(F.pad(chunk, (0, 64), mode="reflect")[:, None])  # [B, 258, 4]
        x = torch.sqrt(x[:, :BINS] ** 2 + x[:, BINS:] ** 2)
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(conv(x))
        return x[:, :, 0]  # one frame is left


def sixteen_kilohertz():
    return Silero(), torch.zeros(2, 3, CHUNK)
