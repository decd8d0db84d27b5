"""g2p_en: a GRU reads letters, another one, which starts where the first ends, writes phonemes."""

import torch
from torch import nn
from torch.nn import functional as F

HIDDEN, LETTERS, PHONEMES = 256, 29, 74


class LettersToPhonemes(nn.Module):
    """Parameters by the names that the .npz file has; gates are reset, update, new."""

    def __init__(self):
        super().__init__()
        for side, symbols in (("enc", LETTERS), ("dec", PHONEMES)):
            self.register_parameter(f"{side}_emb", _empty(symbols, HIDDEN))
            for way in ("ih", "hh"):
                self.register_parameter(f"{side}_w_{way}", _empty(3 * HIDDEN, HIDDEN))
                self.register_parameter(f"{side}_b_{way}", _empty(3 * HIDDEN))
        self.fc_w, self.fc_b = _empty(PHONEMES, HIDDEN), _empty(PHONEMES)

    def forward(self, letters, phonemes):
        """Scores [B, T, 74] of what follows each of the phonemes [B, T]."""
        state = self.read(letters)
        scores = []
        for step in range(phonemes.shape[1]):
            state = self._step("dec", F.embedding(phonemes[:, step], self.dec_emb), state)
            scores.append(state @ self.fc_w.T + self.fc_b)
        return torch.stack(scores, 1)

    def read(self, letters):
        """The state [B, 256] behind the last letter."""
        state = self.enc_emb.new_zeros(letters.shape[0], HIDDEN)
        for step in range(letters.shape[1]):
            state = self._step("enc", F.embedding(letters[:, step], self.enc_emb), state)
        return state

    def _step(self, side, x, state):
        of = {name: getattr(self, f"{side}_{name}") for name in ("w_ih", "w_hh", "b_ih", "b_hh")}
        into = x @ of["w_ih"].T + of["b_ih"]
        again = state @ of["w_hh"].T + of["b_hh"]
        reset, update = torch.sigmoid(into[:, : 2 * HIDDEN] + again[:, : 2 * HIDDEN]).chunk(2, 1)
        new = torch.tanh(into[:, 2 * HIDDEN :] + reset * again[:, 2 * HIDDEN :])
        return (1 - update) * new + update * state


def _empty(*shape):
    return nn.Parameter(torch.empty(shape))


def letters_to_phonemes():
    return LettersToPhonemes(), (torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 3, dtype=torch.long))
