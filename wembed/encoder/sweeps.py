"""The depth sweeps: a learned signal is pushed through a network's own weights, forward and back.

A message into a group is a plain matrix product, the mean over sources of b_r(W) h, mapped by M_r: no edge is
materialised, one set of weights serves networks of any width and depth, and means over density-normalised weights do
not change when channels are duplicated. Sweeps follow the data flow, so that a stream that many layers write is
updated after each of them; groups that share heads are linked before the later one is read. Node states have an even
part and an odd part: odd functions of the weights carry odd states, even functions even ones, so that a unit known only
up to its sign (tanh) turns its odd state and nothing else.

Legend: B networks of one structure, N nodes, T targets, S sources, K taps, C tap modes, R functions, D hidden.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.device import to_device
from wembed.encoder.batches import FLAGS, NODE_FEATURES, Batch, Link, Piece
from wembed.encoder.features import cosine_modes
from wembed.graph import HeadLink

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
class _Carrier:
    """A piece of a weight as what carries messages both ways: functions of it, [B, C, t, s] each.

    Args:
        targets: that the piece is of.
        sources: that it is of.
        even: functions that are blind to the weight's sign.
        odd: functions that turn with it.
    """

    targets: slice
    sources: slice
    even: Sequence[Tensor]
    odd: Sequence[Tensor]

    @classmethod
    def of(cls, link: Link, piece: Piece) -> "_Carrier":
        modes = _modes(link, piece)
        size = modes.abs()
        even, odd = (size, (size - _BEND).relu()), (modes, modes.clamp(-_BEND, _BEND))
        return cls(piece.targets, piece.sources, even, odd)

    def carry(self, state: State, is_forward: bool) -> list[Tensor]:
        """Sums over the piece of its functions times states, even ones first, [B, R C, n, D] each."""
        found = []
        for functions, own in ((self.even, state.even), (self.odd, state.odd)):
            if is_forward:
                sent = own[:, None, self.sources]
                found.append(torch.cat([function @ sent for function in functions], 1))
            else:  # states first: the weight need not be turned round
                sent = own[:, None, self.targets].mT
                found.append(torch.cat([sent @ function for function in functions], 1).mT)
        return found


class _Step:
    """One link in one direction.

    Args:
        link: the block.
        carriers: the pieces of its weight, where they are held.
        is_forward: whether from its source to its target.
    """

    def __init__(self, link: Link, carriers: Sequence[_Carrier] | None, is_forward: bool) -> None:
        self._link = link
        self._carriers = carriers
        self._is_forward = is_forward
        ends = (link.source, link.target)
        self.source, self.target = ends if is_forward else ends[::-1]

    def carry(self, state: State, nodes: int) -> State:
        """What arrives: the mean over sources of functions of the weight times states, [B, N, R C D] each."""
        total: list[Tensor] = []
        for carrier in self._carriers or (_Carrier.of(self._link, piece) for piece in self._link.pieces()):
            found = carrier.carry(state, self._is_forward)
            if not total and found[0].shape[2] == nodes:
                total = found
                continue
            total = total or [part.new_zeros(*part.shape[:2], nodes, part.shape[3]) for part in found]
            into = carrier.targets if self._is_forward else carrier.sources
            for sums, part in zip(total, found, strict=True):
                sums[:, :, into] += part
        return State(*(part.transpose(1, 2).flatten(2) / state.even.shape[1] for part in total))


class _Messages(nn.Module):
    """What is made of what arrives: for every function and mode of the weight its own map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        shape = (_FUNCTIONS, len(_TAP_MODES), width, width)
        self.maps = nn.Parameter(torch.empty(shape).uniform_(-1.0, 1.0) / width**0.5)

    def forward(self, arrived: Tensor) -> Tensor:
        """From [B, N, R C D] to [B, N, D]."""
        width = self.maps.shape[-1]
        modes = arrived.shape[2] // (_FUNCTIONS * width)
        message: Tensor = arrived @ self.maps[:, :modes].flatten(0, 2)
        return message


class _Update(nn.Module):
    """One step of a group's nodes: a residual update of both parts from the message that comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.even_messages = _Messages(width)
        self.odd_messages = _Messages(width)
        self.mix = nn.Sequential(nn.Linear(6 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.gates = nn.Linear(width, 2 * width)
        self.turn = nn.Linear(2 * width, 2 * width, bias=False)
        self.of_heads = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, arrived: State, target: State, plain: float) -> State:
        even = _normalised(self.even_messages(arrived.even))
        odd = _normalised(self.odd_messages(arrived.odd))
        seen = [target.even, even, target.odd.square(), odd.square(), plain * target.odd, plain * odd]
        new_even = _normalised(target.even + self.mix(torch.cat(seen, -1)))
        gates = torch.sigmoid(self.gates(new_even))  # [B, T, 2 D]
        kept, new = (gates * self.turn(torch.cat([target.odd, odd], -1))).chunk(2, -1)
        return State(new_even, _normalised(target.odd + kept + new))

    def linked(self, source: State, target: State, heads: "_Heads") -> State:
        """The target's nodes after each has seen the mean of its head's nodes in the source."""
        sums = source.even.new_zeros(len(source.even), heads.count, source.even.shape[2])
        means = sums.index_add(1, heads.of_source, source.even) / heads.sizes
        seen = torch.cat([target.even, means[:, heads.of_target]], -1)
        return State(_normalised(target.even + self.of_heads(seen)), target.odd)


class Sweeps(nn.Module):
    """The weights that are shared by all layers of all networks.

    Args:
        width: D, of each part of a node's state.
        steps: sweeps, each forward and back.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(NODE_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.direction = nn.Parameter(torch.randn(width))
        self.forwards = nn.ModuleList(_Update(width) for _ in range(steps))
        self.backwards = nn.ModuleList(_Update(width) for _ in range(steps))
        self.token = nn.Linear(6 * width + FLAGS, 2 * width)

    def states(self, batch: Batch) -> dict[str, State]:
        """Group -> its nodes' states after all sweeps."""
        states = self._first_states(batch)
        held = [_held(link) for link in batch.links]
        along = list(_order(batch, held, is_forward=True))
        against = list(_order(batch, held, is_forward=False))[::-1]
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            for module, steps in ((ahead, along), (back, against)):
                update = cast(_Update, module)
                for step in steps:
                    if isinstance(step, _Heads):
                        states[step.target] = update.linked(states[step.source], states[step.target], step)
                    else:
                        target = states[step.target]
                        arrived = step.carry(states[step.source], target.even.shape[1])
                        states[step.target] = update(arrived, target, _plain(batch, step.target))
        return states

    def forward(self, batch: Batch) -> Tensor:
        """One token per group, [B, groups, 2 D]: what its states have in common."""
        tokens = []
        for name, state in self.states(batch).items():
            flags = to_device(torch.tensor(batch.nodes[name].flags), state.even.device).expand(len(state.even), -1)
            tokens.append(self.token(torch.cat([_pooled(state, _plain(batch, name)), flags], -1)))
        return torch.stack(tokens, 1)

    def _first_states(self, batch: Batch) -> dict[str, State]:
        states = {}
        for name, nodes in batch.nodes.items():
            even = self.first(nodes.features)
            odd = nodes.bias[..., None] * self.direction + _plain(batch, name) * even
            states[name] = State(_normalised(even), _normalised(odd))
        return states


@dataclass(frozen=True)
class _Heads:
    """Two groups that share heads.

    Args:
        source: whose states are seen.
        target: that sees them.
        of_source: the head of each node, [N].
        of_target: likewise.
        sizes: nodes of the source in each head, at least 1, [heads, 1].
    """

    source: str
    target: str
    of_source: Tensor
    of_target: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, link: HeadLink, device: torch.device, is_forward: bool) -> "_Heads":
        ends = ((link.source, link.of_source), (link.target, link.of_target))
        (source, of_source), (target, of_target) = ends if is_forward else ends[::-1]
        sizes = np.bincount(of_source, minlength=link.heads).clip(min=1)[:, None]
        moved = (to_device(torch.from_numpy(numbers), device) for numbers in (of_source, of_target, sizes))
        return cls(source, target, *moved)

    @property
    def count(self) -> int:
        """How many heads."""
        return len(self.sizes)


def _order(batch: Batch, held: Sequence[Sequence[_Carrier] | None], is_forward: bool) -> Iterator[_Step | _Heads]:
    """Blocks in data-flow order, and before each the heads that it must find linked."""
    heads = [(link.before, _Heads.of(link, batch.blocks.device, is_forward)) for link in batch.heads]
    for number, (link, carriers) in enumerate(zip(batch.links, held, strict=True)):
        yield from (head for before, head in heads if before == number)
        yield _Step(link, carriers, is_forward)
    yield from (head for before, head in heads if before >= len(batch.links))


def _held(link: Link) -> list[_Carrier] | None:
    """Functions of a weight that is in memory; None for one that is read anew in every sweep."""
    return None if link.stored is None else [_Carrier.of(link, piece) for piece in link.pieces()]


def _plain(batch: Batch, name: str) -> float:
    """1 where signs are fixed, 0 where they are open."""
    return 0.0 if batch.nodes[name].signed else 1.0


def _modes(link: Link, piece: Piece) -> Tensor:
    """A weight over its root mean square, its taps projected on the lowest cosine modes, [B, C, t, s]."""
    scale = 1.0 / (link.size + 1e-30)
    weight = piece.weight
    if weight.shape[3] == 1:
        return (weight[..., 0] * scale[:, None, None]).unsqueeze(1)
    planes = to_device(torch.from_numpy(_basis(link.taps)), weight.device).to(weight.dtype)
    basis = planes * scale[:, None, None]  # [B, C, K]
    modes: Tensor = basis @ weight.flatten(1, 2).mT
    return modes.reshape(*modes.shape[:2], *weight.shape[1:3])


@lru_cache(maxsize=64)
def _basis(taps: tuple[int, ...]) -> NDArray[np.float32]:
    """The cosine modes of a grid of taps, by its last two axes, [C, K]."""
    height, width = (1, *taps)[-2:]
    vertical = np.vstack([np.ones(height), np.sqrt(2.0) * cosine_modes(height, 1)])
    horizontal = np.vstack([np.ones(width), np.sqrt(2.0) * cosine_modes(width, 1)])
    planes = np.stack([np.outer(vertical[a], horizontal[b]).reshape(-1) for a, b in _TAP_MODES])
    repeats = int(np.prod(taps[:-2], dtype=int)) if len(taps) > 2 else 1
    basis: NDArray[np.float32] = (np.tile(planes, repeats) / (np.sqrt(height * width) * repeats)).astype(np.float32)
    return basis


def _normalised(state: Tensor) -> Tensor:
    """A group's states at root mean square 1 over its nodes and channels: the same for any number of equal nodes."""
    return state / (state.square().mean((1, 2), keepdim=True) + _TINY).sqrt()


def _pooled(state: State, plain: float) -> Tensor:
    """Moments of a group's states, [B, 6 D]."""
    even, odd = state.even, state.odd
    spread = (even.var(1, unbiased=False) + _TINY).sqrt()
    size = odd.square().mean(1)
    return torch.cat([even.mean(1), even.amax(1), spread, size, odd.abs().amax(1), plain * odd.mean(1)], -1)
