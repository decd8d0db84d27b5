"""The depth sweeps: a learned signal is pushed through a network's own weights, forward and back.

A message into a group is a plain matrix product, the mean over sources of b_r(W) (h M_r): no edge is materialised, one
set of weights serves every chain of any width and depth, and means over density-normalised weights do not change when
channels are duplicated. Node states have an even part and an odd part: odd functions of the weights carry odd states,
even functions even ones, so that a unit known only up to its sign (tanh) turns its odd state and nothing else.

Legend: B networks of one structure, N nodes, T targets, S sources, K taps, C tap modes, R functions, D hidden.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wembed.encoder.batches import FLAGS, NODE_FEATURES, Batch, Link
from wembed.encoder.features import cosine_modes

_TAP_MODES = ((0, 0), (0, 1), (1, 0), (1, 1))
_FUNCTIONS = 2  # of a weight: even ones, and as many odd ones
_BEND = 1.5  # where the second function bends, in root mean squares of the weight
_TINY = 1e-6


@dataclass(frozen=True)
class State:
    """The two parts of the nodes' states, each [B, N, D]."""

    even: Tensor
    odd: Tensor


@dataclass(frozen=True)
class _Step:
    """What carries messages along one link in one direction: functions of its weight, [B, T, R C S]."""

    source: str
    target: str
    modes: int
    even: Tensor
    odd: Tensor

    @classmethod
    def between(cls, source: str, target: str, modes: Tensor) -> "_Step":
        """From the modes of a weight [B, C, T, S]."""
        size = modes.abs()
        even = torch.cat([size, (size - _BEND).relu()], 1).transpose(1, 2).flatten(2)
        odd = torch.cat([modes, modes.clamp(-_BEND, _BEND)], 1).transpose(1, 2).flatten(2)
        return cls(source, target, modes.shape[1], even, odd)


class _Messages(nn.Module):
    """What a group sends: for every function and mode of the weight its own map of the states."""

    def __init__(self, width: int) -> None:
        super().__init__()
        shape = (_FUNCTIONS, len(_TAP_MODES), width, width)
        self.maps = nn.Parameter(torch.empty(shape).uniform_(-1.0, 1.0) / width**0.5)

    def forward(self, weight: Tensor, states: Tensor, modes: int) -> Tensor:
        """The mean over sources of weight [B, T, R C S] times mapped states [B, S, D], as [B, T, D]."""
        sources = states.shape[1]
        mapped = torch.einsum("bsd,rcde->brcse", states, self.maps[:, :modes])
        return torch.bmm(weight, mapped.flatten(1, 3)) / sources


class _Update(nn.Module):
    """One step of a group's nodes: a residual update of both parts from the message that comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.even_messages = _Messages(width)
        self.odd_messages = _Messages(width)
        self.mix = nn.Sequential(nn.Linear(6 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.gates = nn.Linear(width, 2 * width)
        self.turn = nn.Linear(2 * width, 2 * width, bias=False)

    def forward(self, source: State, target: State, step: _Step, plain: float) -> State:
        even = _normalised(self.even_messages(step.even, source.even, step.modes))
        odd = _normalised(self.odd_messages(step.odd, source.odd, step.modes))
        seen = [target.even, even, target.odd.square(), odd.square(), plain * target.odd, plain * odd]
        new_even = _normalised(target.even + self.mix(torch.cat(seen, -1)))
        gates = torch.sigmoid(self.gates(new_even))  # [B, T, 2 D]
        kept, new = (gates * self.turn(torch.cat([target.odd, odd], -1))).chunk(2, -1)
        return State(new_even, _normalised(target.odd + kept + new))


class Sweeps(nn.Module):
    """The weights that are shared by all layers of all networks.

    Args:
        width: D, of each part of a node's state.
        steps: sweeps, each forward and back.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(1 + NODE_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.direction = nn.Parameter(torch.randn(width))
        self.forwards = nn.ModuleList(_Update(width) for _ in range(steps))
        self.backwards = nn.ModuleList(_Update(width) for _ in range(steps))
        self.token = nn.Linear(6 * width + FLAGS, 2 * width)

    def states(self, batch: Batch) -> dict[str, State]:
        """Group -> its nodes' states after all sweeps."""
        modes = [_modes(link) for link in batch.links]
        states = self._first_states(batch, modes)
        along = [_Step.between(li.source, li.target, m) for li, m in zip(batch.links, modes, strict=True)]
        against = [_Step.between(li.target, li.source, m.mT) for li, m in zip(batch.links, modes, strict=True)]
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            for update, steps in ((ahead, along), (back, against[::-1])):
                for step in steps:
                    source, target = states[step.source], states[step.target]
                    states[step.target] = update(source, target, step, _plain(batch, step.target))
        return states

    def forward(self, batch: Batch) -> Tensor:
        """One token per group, [B, groups, 2 D]: what its states have in common."""
        tokens = []
        for name, state in self.states(batch).items():
            flags = torch.tensor(batch.nodes[name].flags, device=state.even.device).expand(len(state.even), -1)
            tokens.append(self.token(torch.cat([_pooled(state, _plain(batch, name)), flags], -1)))
        return torch.stack(tokens, 1)

    def _first_states(self, batch: Batch, modes: Sequence[Tensor]) -> dict[str, State]:
        norms = defaultdict[str, list[Tensor]](list)
        for link, weight in zip(batch.links, modes, strict=True):
            energy = weight.square().sum(1)  # [B, T, S]
            norms[link.target].append(energy.mean(2).sqrt())
            norms[link.source].append(energy.mean(1).sqrt())
        states = {}
        for name, nodes in batch.nodes.items():
            size = sum(norms[name], torch.zeros_like(nodes.bias))
            even = self.first(torch.cat([size[..., None], nodes.features], -1))
            odd = nodes.bias[..., None] * self.direction + _plain(batch, name) * even
            states[name] = State(_normalised(even), _normalised(odd))
        return states


def _plain(batch: Batch, name: str) -> float:
    """1 where signs are fixed, 0 where they are open."""
    return 0.0 if batch.nodes[name].signed else 1.0


def _modes(link: Link) -> Tensor:
    """The weight over its root mean square, its taps projected on the lowest cosine modes, [B, C, T, S]."""
    weight = link.weight
    weight = weight / (weight.square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-30)
    if weight.shape[3] == 1:
        return weight[..., 0].unsqueeze(1)
    height, width = (1, *link.taps)[-2:]
    vertical = np.vstack([np.ones(height), np.sqrt(2.0) * cosine_modes(height, 1)])
    horizontal = np.vstack([np.ones(width), np.sqrt(2.0) * cosine_modes(width, 1)])
    planes = np.stack([np.outer(vertical[a], horizontal[b]) for a, b in _TAP_MODES]) / np.sqrt(height * width)
    basis = torch.from_numpy(planes).to(weight)  # [C, height, width]
    grids = weight.reshape(*weight.shape[:3], -1, height, width).mean(3)  # [B, T, S, height, width]
    return torch.einsum("btshw,chw->bcts", grids, basis)


def _normalised(state: Tensor) -> Tensor:
    """A group's states at root mean square 1 over its nodes and channels: the same for any number of equal nodes."""
    return state / (state.square().mean((1, 2), keepdim=True) + _TINY).sqrt()


def _pooled(state: State, plain: float) -> Tensor:
    """Moments of a group's states, [B, 6 D]."""
    even, odd = state.even, state.odd
    spread = (even.var(1, unbiased=False) + _TINY).sqrt()
    size = odd.square().mean(1)
    return torch.cat([even.mean(1), even.amax(1), spread, size, odd.abs().amax(1), plain * odd.mean(1)], -1)
