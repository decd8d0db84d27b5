"""Random small networks of many kinds: a front, some blocks along one stream, a back.

Every part is a plan that builds its module and says by theory which groups of indices it makes free. A block takes and
gives values [B, T, D].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wembed.models.foreign import Runnable

TOKENS, STEPS = 11, 4

ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "identity": lambda x: x,
}


def several(*sizes: int) -> list[int]:
    """The sizes of groups, without those of one index, which nothing can be done with."""
    return [size for size in sizes if size > 1]


class Plan(Protocol):
    """A part of a network."""

    @property
    def free(self) -> list[int]:
        """The sizes of the groups that it adds."""

    def width(self, width: int) -> int:
        """The stream's width behind it, given that before it."""

    def module(self, width: int) -> nn.Module:
        """Its module."""


class Function(nn.Module):
    """Layers by name, and what `forward` does with them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, *inputs):
        return self._forward(self, *inputs)


def norm(kind: str, width: int) -> nn.Module:
    """A norm along the last axis of values [B, T, D]."""
    match kind:
        case "layer":
            return nn.LayerNorm(width)
        case "bare":
            return nn.LayerNorm(width, elementwise_affine=False)
        case "rms":
            return nn.RMSNorm(width, eps=1e-6)
        case "batch":
            return Function(lambda own, x: own.norm(x.transpose(1, 2)).transpose(1, 2), norm=nn.BatchNorm1d(width))
        case _:
            return nn.Identity()


@dataclass(frozen=True)
class Dense:
    """A new stream: linear, norm, activation."""

    size: int
    activation: str
    norm: str
    bias: bool

    @property
    def free(self) -> list[int]:
        return several(self.size)

    def width(self, width: int) -> int:
        return self.size

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            return ACTIVATIONS[self.activation](own.norm(own.linear(x)))

        return Function(forward, linear=nn.Linear(width, self.size, self.bias), norm=norm(self.norm, self.size))


@dataclass(frozen=True)
class Concat:
    """A new stream of two parts, one after the other."""

    first: int
    second: int
    activation: str

    @property
    def free(self) -> list[int]:
        return several(self.first, self.second)

    def width(self, width: int) -> int:
        return self.first + self.second

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            return torch.cat([ACTIVATIONS[self.activation](own.a(x)), own.b(x)], -1)

        return Function(forward, a=nn.Linear(width, self.first), b=nn.Linear(width, self.second))


@dataclass(frozen=True)
class Mlp:
    """A residual branch with hidden units, in front of which is a norm."""

    hidden: int
    activation: str
    norm: str

    @property
    def free(self) -> list[int]:
        return several(self.hidden)

    def width(self, width: int) -> int:
        return width

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            return x + own.down(ACTIVATIONS[self.activation](own.up(own.norm(x))))

        up, down = nn.Linear(width, self.hidden), nn.Linear(self.hidden, width)
        return Function(forward, norm=norm(self.norm, width), up=up, down=down)


@dataclass(frozen=True)
class Gated:
    """A residual branch whose hidden units are multiplied by gates, of two layers or of one for both."""

    hidden: int
    activation: str
    fused: bool

    @property
    def free(self) -> list[int]:
        return several(self.hidden)

    def width(self, width: int) -> int:
        return width

    def module(self, width: int) -> nn.Module:
        def fused(own, x):
            gate, up = own.both(x).chunk(2, -1)
            return x + own.down(ACTIVATIONS[self.activation](gate) * up)

        def split(own, x):
            return x + own.down(ACTIVATIONS[self.activation](own.gate(x)) * own.up(x))

        down = nn.Linear(self.hidden, width, bias=False)
        if self.fused:
            return Function(fused, both=nn.Linear(width, 2 * self.hidden, bias=False), down=down)
        gate, up = (nn.Linear(width, self.hidden, bias=False) for _ in range(2))
        return Function(split, gate=gate, up=up, down=down)


@dataclass(frozen=True)
class Shared:
    """One layer that is used several times, so that what it reads and what it writes are one group."""

    times: int
    activation: str

    @property
    def free(self) -> list[int]:
        return []

    def width(self, width: int) -> int:
        return width

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            for _ in range(self.times):
                x = ACTIVATIONS[self.activation](own.linear(x))
            return x

        return Function(forward, linear=nn.Linear(width, width))


@dataclass(frozen=True)
class Grouped:
    """Channels in groups, of a convolution or of a norm, between two dense layers: a group moves as a whole."""

    groups: int
    each: int
    out: int
    kind: str
    activation: str

    @property
    def free(self) -> list[int]:
        return several(self.groups, self.each, *([self.out] if self.kind == "convolution" else []))

    def width(self, width: int) -> int:
        return width

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            y = own.grouped(own.first(x).transpose(1, 2)).transpose(1, 2)
            return x + own.second(ACTIVATIONS[self.activation](y))

        sources = self.groups * self.each
        if self.kind == "norm":
            grouped, targets = nn.GroupNorm(self.groups, sources), sources
        else:
            targets = self.groups * self.out
            grouped = nn.Conv1d(sources, targets, 3, padding=1, groups=self.groups)
        return Function(forward, first=nn.Linear(width, sources), grouped=grouped, second=nn.Linear(targets, width))


@dataclass(frozen=True)
class Convolution:
    """A convolution along the steps: a new stream, or channel by channel, then activation."""

    size: int
    depthwise: bool
    activation: str

    @property
    def free(self) -> list[int]:
        return [] if self.depthwise else several(self.size)

    def width(self, width: int) -> int:
        return width if self.depthwise else self.size

    def module(self, width: int) -> nn.Module:
        def forward(own, x):
            return ACTIVATIONS[self.activation](own.conv(x.transpose(1, 2)).transpose(1, 2))

        groups = width if self.depthwise else 1
        return Function(forward, conv=nn.Conv1d(width, self.width(width), 3, padding=1, groups=groups))


@dataclass(frozen=True)
class Recurrent:
    """A new stream: the states of an LSTM or a GRU."""

    kind: str
    size: int

    @property
    def free(self) -> list[int]:
        return several(self.size)

    def width(self, width: int) -> int:
        return self.size

    def module(self, width: int) -> nn.Module:
        layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[self.kind]
        return Function(lambda own, x: own.cell(x)[0], cell=layer(width, self.size, batch_first=True))


@dataclass(frozen=True)
class Attention:
    """Heads in a residual branch: queries share keys and values in groups of `shared`.

    Args:
        heads: of keys and values.
        shared: queries for each of these.
        size: of queries and keys; even where they are rotary.
        values: size of values.
        layout: `split` layers, one layer for all (`joined`: q | k | v), or one in which every head has its own
            (`by_head`: heads x (q | k | v)).
        bias: of these.
        rotary: whether queries and keys are turned by their position.
    """

    heads: int
    shared: int
    size: int
    values: int
    layout: str
    bias: bool
    rotary: bool

    @property
    def free(self) -> list[int]:
        return several(self.heads, self.shared, *([] if self.rotary else [self.size]), self.values)

    def width(self, width: int) -> int:
        return width

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Of all queries, keys and values."""
        return self.heads * self.shared * self.size, self.heads * self.size, self.heads * self.values

    def module(self, width: int) -> nn.Module:
        out = nn.Linear(self.heads * self.shared * self.values, width)
        if self.layout == "split":
            q, k, v = (nn.Linear(width, size, self.bias) for size in self.sizes)
            return Function(self._forward, norm=nn.LayerNorm(width), q=q, k=k, v=v, out=out)
        return Function(
            self._forward, norm=nn.LayerNorm(width), qkv=nn.Linear(width, sum(self.sizes), self.bias), out=out
        )

    def _forward(self, own, x):
        q, k, v = (value.transpose(1, 2) for value in self._by_head(own, own.norm(x)))  # [B, H, T, d]
        if self.rotary:
            q, k = _turned(q), _turned(k)
        k, v = k.repeat_interleave(self.shared, 1), v.repeat_interleave(self.shared, 1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + own.out(mixed.transpose(1, 2).flatten(2))

    def _by_head(self, own, x):
        """Queries [B, T, H, d], keys and values [B, T, G, d]."""
        shape, heads = x.shape[:2], self.heads * self.shared
        if self.layout == "by_head":
            each = own.qkv(x).view(*shape, self.heads, -1)
            q, k, v = each.split([self.shared * self.size, self.size, self.values], -1)
            return q.reshape(*shape, heads, self.size), k, v
        q, k, v = (own.q(x), own.k(x), own.v(x)) if self.layout == "split" else own.qkv(x).split(self.sizes, -1)
        return (
            q.view(*shape, heads, self.size),
            k.view(*shape, self.heads, self.size),
            v.view(*shape, self.heads, self.values),
        )


def _turned(x):
    half = x.shape[-1] // 2
    frequencies = 10.0 ** -torch.arange(half, dtype=x.dtype, device=x.device)
    angles = torch.arange(x.shape[2], dtype=x.dtype, device=x.device)[:, None] * frequencies
    angles = torch.cat([angles, angles], -1)
    return x * angles.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * angles.sin()


@dataclass(frozen=True)
class Front:
    """What makes the stream: vectors, tokens, an image's pixels, or a whole image."""

    kind: str
    size: int

    @property
    def free(self) -> list[int]:
        return several(self.size)

    def width(self, width: int) -> int:
        return self.size

    def example(self) -> torch.Tensor:
        """An example input."""
        generator = torch.Generator().manual_seed(0)
        if self.kind == "tokens":
            return torch.randint(TOKENS, (3, STEPS), generator=generator)
        shape = (3, STEPS, 5) if self.kind == "vectors" else (3, 2, 4, 4)
        return torch.randn(shape, generator=generator)

    def module(self, width: int) -> nn.Module:
        conv = nn.Conv2d(2, self.size, 2, 2)
        match self.kind:
            case "tokens":
                return nn.Embedding(TOKENS, self.size)
            case "vectors":
                return nn.Linear(5, self.size)
            case "pixels":
                return Function(lambda own, x: F.relu(own.conv(x)).flatten(2).transpose(1, 2), conv=conv)
            case _:
                image = Function(lambda own, x: own.linear(F.relu(own.conv(x)).flatten(1))[:, None], conv=conv)
                image.linear = nn.Linear(4 * self.size, self.size)
                return image


@dataclass(frozen=True)
class NetworkPlan:
    """A whole network.

    Args:
        front: makes the stream.
        blocks: along it.
        back: what reads it: every step (`steps`), the mean of all (`mean`), or, where the stream is the one that tokens
            made, every step by the tokens' own table (`tied`).
    """

    front: Front
    blocks: tuple[Plan, ...]
    back: str

    @property
    def free(self) -> list[int]:
        """The sizes of all groups that are free by theory, in order."""
        image = several(self.front.size) if self.front.kind == "image" else []
        return sorted(image + self.front.free + [size for block in self.blocks for size in block.free])

    @property
    def is_tied(self) -> bool:
        """Whether the tokens' table stands at both ends."""
        keeps = all(block.width(TOKENS) == block.width(TOKENS + 1) - 1 == TOKENS for block in self.blocks)
        return self.back == "tied" and self.front.kind == "tokens" and keeps

    def build(self) -> nn.Module:
        """The module, its weights as torch draws them."""
        parts, width = [self.front.module(0)], self.front.size
        for block in self.blocks:
            parts.append(block.module(width))
            width = block.width(width)
        pool = Function(lambda own, x: x.mean(1)) if self.back == "mean" else nn.Identity()
        head = nn.Linear(width, TOKENS if self.is_tied else 3)
        if self.is_tied:
            head.weight = parts[0].weight
        return nn.Sequential(*parts, pool, head)

    def runnable(self) -> Runnable:
        """The network with example inputs."""
        return Runnable(str(self), self.build, (self.front.example(),))


_size = st.integers(2, 5)
_activation = st.sampled_from(sorted(ACTIVATIONS))
_norm = st.sampled_from(["none", "layer", "bare", "rms", "batch"])
_attention = st.builds(
    Attention,
    heads=st.integers(1, 3),
    shared=st.integers(1, 2),
    size=st.sampled_from([2, 4]),
    values=st.integers(1, 3),
    layout=st.sampled_from(["split", "joined", "by_head"]),
    bias=st.booleans(),
    rotary=st.booleans(),
)
_block = st.one_of(
    st.builds(Dense, _size, _activation, _norm, st.booleans()),
    st.builds(Concat, _size, _size, _activation),
    st.builds(Mlp, _size, _activation, _norm),
    st.builds(Gated, _size, _activation, st.booleans()),
    st.builds(Shared, st.integers(2, 3), _activation),
    st.builds(
        Grouped, st.integers(2, 3), st.integers(2, 3), _size, st.sampled_from(["convolution", "norm"]), _activation
    ),
    st.builds(Convolution, _size, st.booleans(), _activation),
    st.builds(Recurrent, st.sampled_from(["lstm", "gru", "rnn"]), _size),
    _attention,
)
network_plans = st.builds(
    NetworkPlan,
    front=st.builds(Front, st.sampled_from(["vectors", "tokens", "pixels", "image"]), _size),
    blocks=st.lists(_block, min_size=1, max_size=4).map(tuple),
    back=st.sampled_from(["steps", "mean", "tied"]),
)
