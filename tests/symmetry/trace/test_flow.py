"""Which factors a value may take, operator by operator: the class of each site, and the function that stays."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wembed.symmetry import apply_action, random_action
from wembed.symmetry.trace import trace_spec


class Net(nn.Module):
    """Layers by name and what `forward` does with them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def _linear(sources, targets, bias=True):
    return nn.Linear(sources, targets, bias=bias)


def _spec(net, *shape):
    net = net.double().eval()
    return trace_spec(net, (torch.zeros(2, *shape, dtype=torch.float64),))


def _change(net, spec, *shape):
    """The largest relative change of the outputs under a random member of the group."""
    generator = np.random.default_rng(0)
    net = net.double().eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.dim():
                values = generator.normal(size=tuple(tensor.shape)) / np.sqrt(tensor[0].numel())
                tensor.copy_(torch.from_numpy(np.abs(values) + 0.5 if "running_var" in name else values))
    inputs = torch.from_numpy(generator.normal(size=(3, *shape)))
    before = net(inputs).detach()
    action = random_action(spec, generator, rescale=True)
    state = net.state_dict()
    arrays = {name: tensor.numpy().copy() for name, tensor in state.items()}
    for name, values in apply_action(action, spec, lambda name: arrays[name]):
        state[name] = torch.from_numpy(np.ascontiguousarray(values))
    net.load_state_dict(state)
    return float((net(inputs).detach() - before).norm() / before.norm())


def _chain(activation):
    return Net(lambda net, x: net.b(activation(net.a(x))), a=_linear(5, 7), b=_linear(7, 3))


def _of_two_paths(net, x):
    hidden = net.a(x)
    return net.b(torch.relu(hidden)) + net.c(torch.tanh(hidden))


CASES = {
    "relu": (_chain(torch.relu), (5,), {"a.out": "positive"}),
    "leaky relu": (_chain(F.leaky_relu), (5,), {"a.out": "positive"}),
    "tanh": (_chain(torch.tanh), (5,), {"a.out": "sign"}),
    "gelu": (_chain(F.gelu), (5,), {"a.out": "none"}),
    "no activation": (_chain(lambda x: x), (5,), {"a.out": "real"}),
    "a number": (_chain(lambda x: -2.5 * x / 3.0), (5,), {"a.out": "real"}),
    "a number added": (_chain(lambda x: x + 1.0), (5,), {"a.out": "none"}),
    "a square": (_chain(lambda x: x * x), (5,), {"a.out": "none"}),
    "relu and tanh": (
        Net(_of_two_paths, a=_linear(5, 7), b=_linear(7, 3), c=_linear(7, 3)),
        (5,),
        {"a.out": "none"},
    ),
    "prelu": (
        Net(lambda net, x: net.b(net.slope(net.a(x))), a=_linear(5, 7), slope=nn.PReLU(7), b=_linear(7, 3)),
        (5,),
        {"a.out": "positive"},
    ),
    "residual": (
        Net(
            lambda net, x: net.d((h := torch.relu(net.a(x))) + net.c(torch.relu(net.b(h)))),
            a=_linear(5, 7),
            b=_linear(7, 6),
            c=_linear(6, 7),
            d=_linear(7, 3),
        ),
        (5,),
        {"a.out": "positive", "b.out": "positive"},
    ),
    "gated": (
        Net(
            lambda net, x: net.down(F.silu(net.gate(x)) * net.up(x)),
            gate=_linear(5, 7),
            up=_linear(5, 7),
            down=_linear(7, 3),
        ),
        (5,),
        {"gate.out": "none", "up.out": "real"},
    ),
    "gated by relu": (
        Net(
            lambda net, x: net.down(torch.relu(net.gate(x)) * net.up(x)),
            gate=_linear(5, 7),
            up=_linear(5, 7),
            down=_linear(7, 3),
        ),
        (5,),
        {"gate.out": "none", "up.out": "real"},
    ),
    "quotient": (
        Net(
            lambda net, x: net.down(net.up(x) / (1.5 + torch.tanh(net.gate(x)))),
            gate=_linear(5, 7),
            up=_linear(5, 7),
            down=_linear(7, 3),
        ),
        (5,),
        {"gate.out": "none", "up.out": "real"},
    ),
    "norm before": (
        Net(lambda net, x: net.b(net.norm(net.a(x))), a=_linear(5, 7), norm=nn.LayerNorm(7), b=_linear(7, 3)),
        (5,),
        {"a.out": "none", "norm.out": "real"},
    ),
    "batch norm": (
        Net(
            lambda net, x: net.b(torch.relu(net.norm(net.a(x)))),
            a=_linear(5, 7),
            norm=nn.BatchNorm1d(7),
            b=_linear(7, 3),
        ),
        (5,),
        {"a.out": "real", "norm.out": "positive"},
    ),
    "batch norm behind the activation": (
        Net(
            lambda net, x: net.b(net.norm(torch.relu(net.a(x)))),
            a=_linear(5, 7),
            norm=nn.BatchNorm1d(7),
            b=_linear(7, 3),
        ),
        (5,),
        {"a.out": "positive", "norm.out": "real"},
    ),
    "concatenation": (
        Net(
            lambda net, x: net.c(torch.cat([torch.relu(net.a(x)), torch.tanh(net.b(x))], 1)),
            a=_linear(5, 4),
            b=_linear(5, 6),
            c=_linear(10, 3),
        ),
        (5,),
        {"a.out": "positive", "b.out": "sign"},
    ),
    "fused and split": (
        Net(
            lambda net, x: net.b(torch.relu((h := net.a(x).chunk(2, 1))[0])) + net.c(torch.tanh(h[1])),
            a=_linear(5, 8),
            b=_linear(4, 3),
            c=_linear(4, 3),
        ),
        (5,),
        {"a#0.out": "positive", "a#1.out": "sign"},
    ),
    "convolution, pooling, flatten": (
        Net(
            lambda net, x: net.b(F.max_pool2d(torch.relu(net.a(x)), 2).flatten(1)),
            a=nn.Conv2d(2, 4, 3, padding=1),
            b=_linear(16, 3),
        ),
        (2, 4, 4),
        {"a.out": "positive"},
    ),
    "max pooling alone": (
        Net(
            lambda net, x: net.b(F.max_pool2d(net.a(x), 2).flatten(1)),
            a=nn.Conv2d(2, 4, 3, padding=1),
            b=_linear(16, 3),
        ),
        (2, 4, 4),
        {"a.out": "positive"},
    ),
    "average over space": (
        Net(lambda net, x: net.b(net.a(x).mean((2, 3))), a=nn.Conv2d(2, 4, 3), b=_linear(4, 3)),
        (2, 4, 4),
        {"a.out": "real"},
    ),
    "depthwise": (
        Net(
            lambda net, x: net.b(torch.relu(net.deep(torch.relu(net.a(x)))).mean((2, 3))),
            a=nn.Conv2d(2, 4, 3),
            deep=nn.Conv2d(4, 4, 3, padding=1, groups=4),
            b=_linear(4, 3),
        ),
        (2, 5, 5),
        {"a.out": "positive", "deep.out": "positive"},
    ),
    "grouped": (
        Net(
            lambda net, x: net.b(torch.relu(net.wide(torch.relu(net.a(x)))).mean((2, 3))),
            a=nn.Conv2d(2, 6, 3),
            wide=nn.Conv2d(6, 9, 3, padding=1, groups=3),
            b=_linear(9, 3),
        ),
        (2, 5, 5),
        {"a.out": "positive", "wide.out": "positive"},
    ),
    "transposed": (
        Net(
            lambda net, x: net.b(torch.relu(net.up(torch.relu(net.a(x)))).mean((2, 3))),
            a=nn.Conv2d(2, 6, 3),
            up=nn.ConvTranspose2d(6, 5, 2, stride=2),
            b=_linear(5, 3),
        ),
        (2, 5, 5),
        {"a.out": "positive", "up.out": "positive"},
    ),
    "gain of every channel": (
        Net(
            lambda net, x: net.b(torch.relu(net.a(x) * net.gain).mean((2, 3))),
            a=nn.Conv2d(2, 4, 3),
            gain=nn.Parameter(torch.ones(4, 1, 1)),
            b=_linear(4, 3),
        ),
        (2, 5, 5),
        {"a.out": "real", "gain.out": "positive"},
    ),
    "shared module": (
        Net(
            lambda net, x: net.c(torch.relu(net.b(torch.relu(net.b(torch.relu(net.a(x))))))),
            a=_linear(5, 7),
            b=_linear(7, 7),
            c=_linear(7, 3),
        ),
        (5,),
        {"a.out": "positive"},
    ),
    "lstm": (
        Net(lambda net, x: net.b(net.rnn(x)[0]), rnn=nn.LSTM(5, 6, batch_first=True), b=_linear(6, 3)),
        (4, 5),
        {"rnn.weight_ih_l0#2.out": "sign", "rnn.weight_ih_l0#0.out": "none"},
    ),
    "gru of two layers": (
        Net(lambda net, x: net.b(net.rnn(x)[0]), rnn=nn.GRU(5, 6, 2, batch_first=True), b=_linear(6, 3)),
        (4, 5),
        {"rnn.weight_ih_l0#2.out": "sign", "rnn.weight_ih_l1#2.out": "sign"},
    ),
    "gru in both directions": (
        Net(
            lambda net, x: net.b(net.rnn(x)[0]),
            rnn=nn.GRU(5, 6, batch_first=True, bidirectional=True),
            b=_linear(12, 3),
        ),
        (4, 5),
        {"rnn.weight_ih_l0#2.out": "sign", "rnn.weight_ih_l0_reverse#2.out": "sign"},
    ),
    "roll along the channels": (_chain(lambda x: torch.roll(x, 1, 1)), (5,), {"a.out": "none"}),
    "softmax": (_chain(lambda x: torch.softmax(x, 1)), (5,), {"a.out": "none"}),
}


@pytest.mark.parametrize("case", CASES)
def test_site_has_the_class_that_its_operators_leave(case):
    net, shape, expected = CASES[case]
    spec = _spec(net, *shape)
    assert {name: spec.sites[name].scale for name in expected} == expected


@pytest.mark.parametrize("case", CASES)
def test_function_stays_under_permutations_and_scales(case):
    net, shape, _ = CASES[case]
    assert _change(net, _spec(net, *shape), *shape) < 1e-10


class Attention(nn.Module):
    """One attention block of 3 heads; queries may share keys and values, positions may turn queries and keys."""

    def __init__(self, width=12, heads=3, shared=1, dims=4, rotary=False):
        super().__init__()
        self.heads, self.shared, self.dims, self.rotary = heads, shared, dims, rotary
        self.q, self.k, self.v = (nn.Linear(width, n * dims) for n in (heads * shared, heads, heads))
        self.o = nn.Linear(heads * shared * dims, 5)

    def _turned(self, x):
        if not self.rotary:
            return x
        angles = torch.outer(torch.arange(x.shape[2]).double(), torch.tensor([1.0, 0.3], dtype=torch.float64))
        angles = torch.cat([angles, angles], -1)
        half = self.dims // 2
        return x * angles.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * angles.sin()

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, self.dims)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        k, v = (y.repeat_interleave(self.shared, 1) if self.shared > 1 else y for y in (k, v))
        out = F.scaled_dot_product_attention(self._turned(q), self._turned(k), v)
        return self.o(out.transpose(1, 2).flatten(2))


class Eager(Attention):
    """The same, spelled out."""

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, self.dims)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3) / 2.0, -1)
        return self.o((weights @ v).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("net", [Attention(), Eager()], ids=["fused", "eager"])
def test_heads_take_matrices(net):
    spec = _spec(net, 6, 12)
    sites = {name: (spec.sites[name].activation, spec.sites[name].dual) for name in ("q.out", "k.out", "v.out")}
    assert sites == {"q.out": ("scores", ""), "k.out": ("scores", "q.out"), "v.out": ("attention", "")}
    assert _change(net, spec, 6, 12) < 1e-10


def test_queries_and_keys_that_are_turned_take_one_complex_factor_for_each_plane():
    net = Attention(rotary=True)
    spec = _spec(net, 6, 12)
    site = spec.sites["q#0.out"]
    assert (site.scale, spec.size_of(site.axis)) == ("rotary", 6)
    assert [layer.target for layer in spec.layers if layer.tensors["weight"] == "q.weight"] == [site.name, site.name]
    assert spec.sites["k#0.out"].dual == site.name
    assert spec.sites["v.out"].activation == "attention"
    assert _change(net, spec, 6, 12) < 1e-10


@pytest.mark.parametrize("dims", [1, 2])
def test_heads_of_one_dimension_or_one_plane_take_no_factor_that_scores_would_show(dims):
    net = Attention(dims=dims)
    spec = _spec(net, 6, 12)
    assert _change(net, spec, 6, 12) < 1e-10
    assert (spec.sites["q.out"].scale == "none") == (dims == 1)


def test_values_that_are_multiplied_by_position_keep_no_bias():
    class Masked(Eager):
        def forward(self, x):
            q, k, v = (layer(x).unflatten(-1, (-1, self.dims)).transpose(1, 2) for layer in (self.q, self.k, self.v))
            v = v * torch.linspace(0, 1, x.shape[1], dtype=x.dtype)[:, None]
            weights = torch.softmax(q @ k.transpose(2, 3), -1)
            return self.o((weights @ v).transpose(1, 2).flatten(2))

    assert _spec(Masked(), 6, 12).sites["v.out"].activation == "bilinear"


def test_keys_that_are_used_elsewhere_too_need_their_bias():
    class Twice(Eager):
        def forward(self, x):
            return super().forward(x) + (self.q(x) * self.k(x)).sum(-1, keepdim=True)

    assert _spec(Twice(), 6, 12).sites["k.out"].activation != "scores"


def test_tied_embedding_is_one_tensor_with_one_layer():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 6)
            self.hidden = nn.Linear(6, 6)

        def forward(self, x):
            return F.linear(torch.relu(self.hidden(self.embed(x))), self.embed.weight)

    spec = trace_spec(Tied().eval(), (torch.zeros(2, 3, dtype=torch.long),))
    assert [layer.name for layer in spec.layers] == ["embed", "hidden"]
    assert spec.sites["hidden.out"].dual == "embed.out"  # what the table writes with, it reads back with


def test_every_tensor_stands_in_a_layer():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 4)
            self.table = nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return torch.linalg.matrix_exp(self.table) @ self.a(x).T

    spec = trace_spec(Unused().eval(), (torch.zeros(2, 3),))
    assert {name for layer in spec.layers for name in layer.tensors.values()} == set(spec.tensors)
    assert any("linalg_matrix_exp" in note or "matrix_exp" in note for note in spec.notes)
