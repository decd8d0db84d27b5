"""The depth sweeps: a learned signal is pushed through a network's own weights, forward and back.

A message into a group is a plain matrix product, the mean over sources of b_r(W) (h M_r): no edge is materialised, one
set of weights serves every chain of any width and depth, and means over density-normalised weights do not change when
channels are duplicated. Node states have an even part and an odd part: odd functions of the weights carry odd states,
even functions even ones, so that a unit known only up to its sign (tanh) turns its odd state and nothing else.

Legend: B networks of one structure, N nodes, T targets, S sources, C tap modes, R functions, D hidden, F features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wembed.encoder.batches import FLAGS, NODE_FEATURES, TAP_MODES, Batch, Link
from wembed.encoder.features import FEATURE_VERSION, BlockFeatures

FUNCTIONS = 2  # of a weight: even ones, and as many odd ones
_BEND = 1.5  # where the second function bends, in root mean squares of the weight
_TINY = 1e-6


@dataclass(frozen=True)
class GnnConfig:
    """What an untrained sweep encoder depends on.

    Args:
        hidden_dim: D, width of each part of a node's state.
        global_dim: length of the embedding.
        message_passing_steps: sweeps, each forward and back.
        seed: of the initial weights.
        feature_version: the version of the block features.
    """

    hidden_dim: int = 48
    global_dim: int = 128
    message_passing_steps: int = 2
    seed: int = 0
    feature_version: int = FEATURE_VERSION


@dataclass(frozen=True)
class _Step:
    """What carries messages along one link in one direction: functions of its weight, [B, T, R C S]."""

    source: str
    target: str
    modes: int
    even: Tensor
    odd: Tensor

    @classmethod
    def along(cls, link: Link) -> "_Step":
        modes = link.modes
        size = modes.abs()
        even = torch.cat([size, (size - _BEND).relu()], 1).transpose(1, 2).flatten(2)
        odd = torch.cat([modes, modes.clamp(-_BEND, _BEND)], 1).transpose(1, 2).flatten(2)
        return cls(link.source, link.target, modes.shape[1], even, odd)

    @classmethod
    def against(cls, link: Link) -> "_Step":
        return cls.along(Link(link.target, link.source, link.modes.mT))


@dataclass(frozen=True)
class _State:
    """The two parts of the nodes' states, each [B, N, D]."""

    even: Tensor
    odd: Tensor


class _Update(nn.Module):
    """One step of a group's nodes: a residual update of both parts from the message that comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.even_messages = nn.Linear(width, FUNCTIONS * len(TAP_MODES) * width, bias=False)
        self.odd_messages = nn.Linear(width, FUNCTIONS * len(TAP_MODES) * width, bias=False)
        self.mix = nn.Sequential(nn.Linear(6 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.gates = nn.Linear(width, 2 * width)
        self.turn = nn.Linear(2 * width, 2 * width, bias=False)

    def forward(self, source: _State, target: _State, step: _Step, plain: float) -> _State:
        even = _normalised(_message(step.even, self.even_messages(source.even), step.modes))
        odd = _normalised(_message(step.odd, self.odd_messages(source.odd), step.modes))
        seen = [target.even, even, target.odd.square(), odd.square(), plain * target.odd, plain * odd]
        new_even = _normalised(target.even + self.mix(torch.cat(seen, -1)))
        gates = torch.sigmoid(self.gates(new_even))  # [B, T, 2 D]
        kept, new = (gates * self.turn(torch.cat([target.odd, odd], -1))).chunk(2, -1)
        return _State(new_even, _normalised(target.odd + kept + new))


def _message(weight: Tensor, signal: Tensor, modes: int) -> Tensor:
    """The mean over sources of every function and mode of the weight times its own share of the signal, [B, T, D]."""
    batch, sources, _ = signal.shape
    shares = signal.view(batch, sources, FUNCTIONS, len(TAP_MODES), -1)[:, :, :, :modes]
    shares = shares.permute(0, 2, 3, 1, 4).reshape(batch, FUNCTIONS * modes * sources, -1)  # [B, R C S, D]
    return torch.bmm(weight, shares) / sources


def _normalised(state: Tensor) -> Tensor:
    """A group's states at root mean square 1 over its nodes and channels: the same for any number of equal nodes."""
    return state / (state.square().mean((1, 2), keepdim=True) + _TINY).sqrt()


class Sweeps(nn.Module):
    """The learned part: node features and weights in, node states and an embedding out."""

    def __init__(self, config: GnnConfig) -> None:
        super().__init__()
        width, features = config.hidden_dim, sum(BlockFeatures.lengths())
        self.first = nn.Sequential(nn.Linear(NODE_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.direction = nn.Parameter(torch.randn(width))
        self.forwards = nn.ModuleList(_Update(width) for _ in range(config.message_passing_steps))
        self.backwards = nn.ModuleList(_Update(width) for _ in range(config.message_passing_steps))
        self.group_token = nn.Linear(6 * width + FLAGS, 2 * width)
        self.block_token = nn.Linear(features, 2 * width)
        self.attention = nn.TransformerEncoderLayer(2 * width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.out = nn.Linear(4 * width, config.global_dim)

    def states(self, batch: Batch) -> dict[str, _State]:
        """Group -> its nodes' states after all sweeps."""
        states = {}
        for name, features in batch.nodes.items():
            even = self.first(features)
            odd = batch.bias[name][..., None] * self.direction + batch.plain[name] * even
            states[name] = _State(_normalised(even), _normalised(odd))
        along = [_Step.along(link) for link in batch.links]
        against = [_Step.against(link) for link in reversed(batch.links)]
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            for update, steps in ((ahead, along), (back, against)):
                for step in steps:
                    source, target = states[step.source], states[step.target]
                    states[step.target] = update(source, target, step, batch.plain[step.target])
        return states

    def forward(self, batch: Batch) -> Tensor:
        """Embeddings [B, global_dim]."""
        tokens = [
            self.group_token(torch.cat([_pooled(state, batch.plain[name]), _expanded(batch.flags[name], state)], -1))
            for name, state in self.states(batch).items()
        ]
        sequence = torch.cat([torch.stack(tokens, 1), self.block_token(batch.blocks)], 1)  # [B, groups + blocks, 2 D]
        seen = self.attention(sequence)
        embedding: Tensor = self.out(torch.cat([seen.mean(1), seen.amax(1)], -1))
        return embedding


def _pooled(state: _State, plain: float) -> Tensor:
    """What a group's states have in common, whatever their order and the signs that are open, [B, 6 D]."""
    even, odd = state.even, state.odd
    spread = (even.var(1, unbiased=False) + _TINY).sqrt()
    size = odd.square().mean(1)
    return torch.cat([even.mean(1), even.amax(1), spread, size, odd.abs().amax(1), plain * odd.mean(1)], -1)


def _expanded(flags: Tensor, state: _State) -> Tensor:
    return flags.expand(len(state.even), -1)
