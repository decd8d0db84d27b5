"""The depth-sweep encoder: a learned signal is pushed through the network's own weights, forward and back.

A message into a group is a plain matrix product, the mean over sources of b_r(W) (h M_r): no edge is materialised, one
set of weights serves every chain of any width and depth, and means over density-normalised weights do not change when
channels are duplicated. Node states have an even part and an odd part: odd functions of the weights carry odd states,
even functions even ones, so that a unit known only up to its sign (tanh) turns its odd state and nothing else.

Legend: B networks of one structure, N nodes, T targets, S sources, C tap modes, R functions, D hidden, F features.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.encoder.base import Item, identity_of, unit_rows
from wembed.encoder.features import FEATURE_VERSION, BlockFeatures, block_features, cosine_modes
from wembed.graph import Block, Group, WeightGraph, build_graph
from wembed.symmetry import SymmetrySpec

_TAP_MODES = ((0, 0), (0, 1), (1, 0), (1, 1))
_FUNCTIONS = 2  # even ones, and as many odd ones
_BEND = 1.5  # where the second function bends, in root mean squares of the weight
_PLACES = 4  # frequencies that tell ordered nodes apart
_NODE_FEATURES = 8 + 2 * _PLACES
_GROUP_FLAGS = 2
_BATCH = 32  # networks of one structure that are run at once
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
class _Link:
    """One block of B networks of one structure: functions of its weight [B, R * C, T, S], even and odd ones."""

    source: str
    target: str
    modes: int
    even: Tensor
    odd: Tensor


@dataclass(frozen=True)
class _Batch:
    """B networks of one structure, as tensors."""

    links: list[_Link]
    nodes: dict[str, Tensor]  # group -> features [B, N, F]
    bias: dict[str, Tensor]  # group -> [B, N]
    plain: dict[str, float]  # group -> 1 where signs are fixed, 0 where they are not
    flags: dict[str, Tensor]  # group -> [2]
    blocks: Tensor  # block features [B, blocks, F]

    def to(self, device: torch.device) -> "_Batch":
        """The same on a device."""
        links = [replace(link, even=link.even.to(device), odd=link.odd.to(device)) for link in self.links]
        nodes, bias, flags = (
            {name: values.to(device) for name, values in part.items()} for part in (self.nodes, self.bias, self.flags)
        )
        return _Batch(links, nodes, bias, self.plain, flags, self.blocks.to(device))


@dataclass(frozen=True)
class _State:
    """The two parts of the nodes' states, each [B, N, D]."""

    even: Tensor
    odd: Tensor


class _Update(nn.Module):
    """One step of a group's nodes: a residual update of both parts from the message that comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.even_messages = nn.Linear(width, _FUNCTIONS * len(_TAP_MODES) * width, bias=False)
        self.odd_messages = nn.Linear(width, _FUNCTIONS * len(_TAP_MODES) * width, bias=False)
        self.mix = nn.Sequential(nn.Linear(6 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.gates = nn.Linear(width, 2 * width)
        self.turn = nn.Linear(2 * width, 2 * width, bias=False)

    def forward(self, source: _State, target: _State, link: _Link, plain: float) -> _State:
        even = _normalised(_message(link.even, self.even_messages(source.even), link.modes))
        odd = _normalised(_message(link.odd, self.odd_messages(source.odd), link.modes))
        seen = [target.even, even, target.odd.square(), odd.square(), plain * target.odd, plain * odd]
        new_even = _normalised(target.even + self.mix(torch.cat(seen, -1)))
        gates = torch.sigmoid(self.gates(new_even))  # [B, T, 2 D]
        kept, new = (gates * self.turn(torch.cat([target.odd, odd], -1))).chunk(2, -1)
        return _State(new_even, _normalised(target.odd + kept + new))


def _message(weight: Tensor, signal: Tensor, modes: int) -> Tensor:
    """The mean over sources of every function and mode of the weight times its own share of the signal, [B, T, D]."""
    batch, sources, _ = signal.shape
    shares = signal.view(batch, sources, _FUNCTIONS, len(_TAP_MODES), -1)[:, :, :, :modes]
    shares = shares.permute(0, 2, 3, 1, 4).reshape(batch, _FUNCTIONS * modes, sources, -1)  # [B, R C, S, D]
    return torch.matmul(weight, shares).sum(1) / sources


def _normalised(state: Tensor) -> Tensor:
    """A group's states at root mean square 1 over its nodes and channels: the same for any number of equal nodes."""
    return state / (state.square().mean((1, 2), keepdim=True) + _TINY).sqrt()


class _Sweeps(nn.Module):
    """The learned part: node features and weights in, node states and an embedding out."""

    def __init__(self, config: GnnConfig) -> None:
        super().__init__()
        width, features = config.hidden_dim, sum(BlockFeatures.lengths())
        self.first = nn.Sequential(nn.Linear(_NODE_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.direction = nn.Parameter(torch.randn(width))
        self.forwards = nn.ModuleList(_Update(width) for _ in range(config.message_passing_steps))
        self.backwards = nn.ModuleList(_Update(width) for _ in range(config.message_passing_steps))
        self.group_token = nn.Linear(6 * width + _GROUP_FLAGS, 2 * width)
        self.block_token = nn.Linear(features, 2 * width)
        self.attention = nn.TransformerEncoderLayer(2 * width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.out = nn.Linear(4 * width, config.global_dim)

    def states(self, batch: _Batch) -> dict[str, _State]:
        """Group -> its nodes' states after all sweeps."""
        states = {}
        for name, features in batch.nodes.items():
            even = self.first(features)
            odd = batch.bias[name][..., None] * self.direction + batch.plain[name] * even
            states[name] = _State(_normalised(even), _normalised(odd))
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            for link in batch.links:
                states[link.target] = self._step(ahead, states, link, batch.plain)
            for link in reversed(batch.links):
                turned = _Link(link.target, link.source, link.modes, link.even.mT, link.odd.mT)
                states[link.source] = self._step(back, states, turned, batch.plain)
        return states

    @staticmethod
    def _step(update: nn.Module, states: Mapping[str, _State], link: _Link, plain: Mapping[str, float]) -> _State:
        new: _State = update(states[link.source], states[link.target], link, plain[link.target])
        return new

    def forward(self, batch: _Batch) -> Tensor:
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


class Gnn:
    """The sweep encoder, with the weights that its seed or its training gave it.

    Args:
        config: its shape.
        weights: parameter name -> tensor; untrained where None.
        device: where it runs.
    """

    name = "gnn"

    def __init__(
        self, config: GnnConfig | None = None, weights: Mapping[str, Tensor] | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or GnnConfig()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            self.module = _Sweeps(self.config).eval()
        if weights is not None:
            self.module.load_state_dict(dict(weights))
        stored = b"".join(value.numpy().tobytes() for _, value in sorted(self.module.state_dict().items()))
        self.id = identity_of(self.name, asdict(self.config), stored)
        self.device = torch.device(device)
        self.module.to(self.device)
        self.dimension = self.config.global_dim

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder. Networks of one structure run together."""
        alike: dict[object, list[int]] = defaultdict(list)
        graphs = [build_graph(checkpoint, spec) for checkpoint, spec in items]
        for index, graph in enumerate(graphs):
            alike[_structure(graph)].append(index)
        vectors = np.zeros((len(items), self.dimension))
        for indices in alike.values():
            for start in range(0, len(indices), _BATCH):
                part = indices[start : start + _BATCH]
                with torch.inference_mode():
                    batch = _batched([graphs[index] for index in part]).to(self.device)
                    vectors[part] = self.module(batch).double().cpu().numpy()
        return unit_rows(vectors)

    def node_embeddings(self, checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, NDArray[np.float32]]:
        """Group -> its nodes' states [N, 2 D], even part first.

        Equivariant: permuted with the nodes. Where a node's sign is open, so is its odd part's.
        """
        with torch.inference_mode():
            states = self.module.states(_batched([build_graph(checkpoint, spec)]).to(self.device))
        return {name: torch.cat([state.even[0], state.odd[0]], -1).cpu().numpy() for name, state in states.items()}


def _structure(graph: WeightGraph) -> object:
    """What networks must share to be run at once."""
    groups = tuple((g.name, g.size, g.signed, g.ordered) for g in graph.groups.values())
    return groups, tuple((b.source, b.target, b.taps) for b in graph.blocks)


def _batched(graphs: Sequence[WeightGraph]) -> _Batch:
    """Graphs of one structure as tensors."""
    first = graphs[0]
    links, norms = [], defaultdict[str, list[Tensor]](list)
    for index, block in enumerate(first.blocks):
        modes = torch.stack([_modes(graph.blocks[index]) for graph in graphs])  # [B, C, T, S]
        links.append(_Link(block.source, block.target, modes.shape[1], _even(modes), _odd(modes)))
        energy = modes.square().sum(1)  # [B, T, S]
        norms[block.target].append(energy.mean(2).sqrt())
        norms[block.source].append(energy.mean(1).sqrt())
    nodes = {}
    for name, group in first.groups.items():
        vectors = torch.stack([_node_vectors(graph.groups[name]) for graph in graphs])  # [B, N, F']
        size = sum(norms[name], torch.zeros(len(graphs), group.size))
        nodes[name] = torch.cat([size[..., None], vectors, _places(group).expand(len(graphs), -1, -1)], -1)
    features = [[block_features(graph, block).concatenated() for block in graph.blocks] for graph in graphs]
    return _Batch(
        links,
        nodes,
        {name: torch.stack([_bias(graph.groups[name]) for graph in graphs]) for name in first.groups},
        {name: 0.0 if group.signed else 1.0 for name, group in first.groups.items()},
        {name: torch.tensor([float(g.ordered), float(g.signed)]) for name, g in first.groups.items()},
        torch.from_numpy(np.array(features).reshape(len(graphs), len(first.blocks), -1)).float()
        if first.blocks
        else torch.zeros(len(graphs), 0, sum(BlockFeatures.lengths())),
    )


def _modes(block: Block) -> Tensor:
    """The weight over its root mean square, its taps projected on the lowest cosine modes, [C, T, S]."""
    weight = block.weight()
    weight = weight / (np.sqrt(np.mean(np.square(weight))) or 1.0)
    if weight.shape[2] == 1:
        return torch.from_numpy(weight[None, :, :, 0]).float()
    height, width = (1, *block.taps)[-2:]
    vertical = np.vstack([np.ones(height), np.sqrt(2.0) * cosine_modes(height, 1)])
    horizontal = np.vstack([np.ones(width), np.sqrt(2.0) * cosine_modes(width, 1)])
    planes = weight.reshape(*weight.shape[:2], -1, height, width).mean(2)
    projected = [np.einsum("tshw,h,w->ts", planes, vertical[a], horizontal[b]) for a, b in _TAP_MODES]
    return torch.from_numpy(np.stack(projected) / np.sqrt(height * width)).float()


def _even(modes: Tensor) -> Tensor:
    size = modes.abs()
    return torch.cat([size, (size - _BEND).relu()], 1)


def _odd(modes: Tensor) -> Tensor:
    return torch.cat([modes, modes.clamp(-_BEND, _BEND)], 1)


def _bias(group: Group) -> Tensor:
    return torch.from_numpy(np.arcsinh(group.vectors.get("bias", np.zeros(group.size)))).float()


def _node_vectors(group: Group) -> Tensor:
    """Even features of the nodes' own vectors, and the vectors themselves where signs are fixed, [N, 7]."""
    zeros = np.zeros(group.size)
    bias, gain, shift = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("bias", "gain", "shift"))
    slope, other = (np.arcsinh(group.vectors.get(role, zeros)) for role in ("slope", "vector"))
    plain = 0.0 if group.signed else 1.0
    columns = [np.abs(bias), np.abs(gain), np.abs(shift), slope, plain * other, plain * bias, plain * shift]
    return torch.from_numpy(np.stack(columns, 1)).float()


def _places(group: Group) -> Tensor:
    """Cosines and sines [N, 2 x 4] that tell an ordered group's nodes apart; zeros for the others."""
    if not group.ordered:
        return torch.zeros(group.size, 2 * _PLACES)
    place = (torch.arange(group.size) + 0.5) / group.size
    angles = torch.pi * torch.outer(place, 2.0 ** torch.arange(_PLACES))
    return torch.cat([angles.cos(), angles.sin()], 1)
