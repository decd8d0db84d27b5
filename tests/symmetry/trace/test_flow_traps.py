"""Networks in which a scale, a shift or a turn would be claimed by a careless rule: the function must stay."""

import numpy as np
import pytest
import torch
from test_flow import Attention, Eager, Net
from torch import nn
from torch.nn import functional as F

from wembed.symmetry import apply_action, random_continuous_action
from wembed.symmetry.trace import trace_spec


def _linear(sources, targets):
    return nn.Linear(sources, targets)


def _gained(use):
    return Net(
        lambda net, x: net.b(torch.relu(net.a(x)) * net.gain) + use(net),
        a=_linear(5, 4),
        gain=nn.Parameter(torch.ones(4)),
        b=_linear(4, 3),
    )


def _two_norms(net, x):
    first = F.batch_norm(net.a(x), net.one.running_mean, net.one.running_var, net.one.weight, net.one.bias)
    second = F.batch_norm(net.b(x), net.two.running_mean, net.two.running_var, net.one.weight, net.one.bias)
    return net.c(torch.relu(first)) + net.d(torch.relu(second))


class Shifted(Eager):
    """Attention whose values, scores or outputs pass something more."""

    def __init__(self, values=lambda v: v, scores=lambda s: s, out=lambda o: o, keys=lambda k: k):
        super().__init__()
        self._values, self._scores, self._out, self._keys = values, scores, out, keys

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, self.dims)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        k, v = self._keys(k), self._values(v)
        weights = torch.softmax(self._scores(q @ k.transpose(2, 3)), -1)
        return self.o(self._out((weights @ v).transpose(1, 2).flatten(2)))


class Turned(Attention):
    """Rotary angles that are not the same for both halves."""

    def _turned(self, x):
        angles = torch.linspace(0, 1, x.shape[2] * self.dims, dtype=x.dtype).reshape(x.shape[2], self.dims)
        doubled = torch.cat([angles[: x.shape[2] // 2], angles[: x.shape[2] // 2]], 0)
        half = self.dims // 2
        return x * doubled.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * doubled.sin()


CASES = {
    "gain that is used twice": (_gained(lambda net: net.gain.sum()), (5,)),
    "gain that is a bias too": (_gained(lambda net: net.b(net.gain)), (5,)),
    "statistics that are used twice": (
        Net(
            lambda net, x: net.b(torch.relu(net.norm(net.a(x)))) + net.norm.running_mean.sum(),
            a=_linear(5, 4),
            norm=nn.BatchNorm1d(4),
            b=_linear(4, 3),
        ),
        (5,),
    ),
    "norms that share a weight": (
        Net(
            _two_norms,
            a=_linear(5, 4),
            b=_linear(5, 4),
            one=nn.BatchNorm1d(4),
            two=nn.BatchNorm1d(4, affine=False),
            c=_linear(4, 3),
            d=_linear(4, 3),
        ),
        (5,),
    ),
    "rounded quotient": (
        Net(lambda net, x: net.b(torch.div(net.a(x), 0.5, rounding_mode="floor")), a=_linear(5, 4), b=_linear(4, 3)),
        (5,),
    ),
    "concatenation with nothing": (
        Net(
            lambda net, x: net.c(torch.cat([x[:, :0], a := net.a(x), b := net.b(x)], 1)) + net.d(a * b),
            a=_linear(5, 4),
            b=_linear(5, 4),
            c=_linear(8, 3),
            d=_linear(4, 3),
        ),
        (5,),
    ),
    "key without a site": (
        Net(
            lambda net, x: net.b(net.attention(x, x, x)[0]),
            attention=nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True),
            b=_linear(8, 3),
        ),
        (6, 8),
    ),
    "depthwise with a multiplier": (
        Net(
            lambda net, x: net.b(torch.relu(net.deep(torch.relu(net.a(x)))).mean((2, 3))),
            a=nn.Conv2d(2, 4, 3),
            deep=nn.Conv2d(4, 8, 3, groups=4),
            b=_linear(8, 3),
        ),
        (2, 6, 6),
    ),
    "values times a number": (Shifted(values=lambda v: 0.5 * v), (6, 12)),
    "values of which some are zero": (Shifted(values=lambda v: F.pad(v[:, :, 1:], (0, 0, 0, 1))), (6, 12)),
    "keys of which some are zero": (Shifted(keys=lambda k: F.pad(k[:, :, 1:], (0, 0, 0, 1))), (6, 12)),
    "outputs times a number": (Shifted(out=lambda o: o / 2), (6, 12)),
    "scores with holes": (Shifted(scores=lambda s: s.masked_fill(torch.eye(6, dtype=torch.bool), 0.0)), (6, 12)),
    "angles doubled along positions": (Turned(), (6, 12)),
}


@pytest.mark.parametrize("case", CASES)
def test_function_stays(case):
    net, shape = CASES[case]
    net, generator = net.double().eval(), np.random.default_rng(0)
    for name, tensor in net.state_dict().items():
        if tensor.dim():
            values = generator.normal(size=tuple(tensor.shape)) / np.sqrt(tensor[0].numel())
            tensor.copy_(torch.from_numpy(np.abs(values) + 0.5 if "running_var" in name else values))
    inputs = torch.from_numpy(generator.normal(size=(3, *shape)))
    before = net(inputs).detach()
    spec = trace_spec(net, (torch.zeros(2, *shape, dtype=torch.float64),))
    action = random_continuous_action(spec, generator)
    state = net.state_dict()
    arrays = {name: tensor.numpy().copy() for name, tensor in state.items() if tensor.dim()}
    for name, values in apply_action(action, spec, arrays.__getitem__):
        state[name] = torch.from_numpy(np.ascontiguousarray(values))
    net.load_state_dict(state)
    assert action.permutations
    assert float((net(inputs).detach() - before).norm() / before.norm()) < 1e-10


def test_masked_scores_still_need_no_key_bias():
    net = Shifted(scores=lambda s: s.masked_fill(torch.ones(6, 6, dtype=torch.bool).triu(1), float("-inf")))
    spec = trace_spec(net.double().eval(), (torch.zeros(2, 6, 12, dtype=torch.float64),))
    assert (spec.sites["k.out"].activation, spec.sites["v.out"].activation) == ("scores", "attention")
