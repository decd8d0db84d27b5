"""One tiny module for each operator's rule: the axes that it should give, and the proof by running it."""

from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from traced_nets import Net, checked, weight

ROWS, IMAGE, STEPS = torch.randn(3, 5), torch.randn(2, 3, 8, 8), torch.randn(2, 6, 5)


def _between(middle, wide=12, narrow=None, image=False):
    """A layer, what is tested, a layer: on rows or on images."""
    if image:
        first, last = nn.Conv2d(3, wide, 3), nn.Conv2d(narrow or wide, 4, 1)
    else:
        first, last = nn.Linear(5, wide), nn.Linear(narrow or wide, 4)
    return Net(lambda net, x: net.b(middle(net, net.a(x))), a=first, b=last)


def _with(middle, wide=12, narrow=None, image=False, **parts):
    net = _between(middle, wide, narrow, image)
    for name, part in parts.items():
        setattr(net, name, part)
    return net


def _halves(net, x):
    first, second = x.chunk(2, -1)
    return first * second


def _attend(net, x):
    """Four heads of three."""
    q, k, v = (layer(x).view(*x.shape[:2], 4, 3).transpose(1, 2) for layer in (net.q, net.k, net.v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _attend_by_hand(net, x):
    q, k, v = (layer(x).view(*x.shape[:2], 4, 3).transpose(1, 2) for layer in (net.q, net.k, net.v))
    return ((q @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2).reshape(*x.shape[:2], 12)


def _attend_grouped(net, x):
    """Four heads of queries, two of keys and values."""
    q = net.q(x).view(*x.shape[:2], 4, 3).transpose(1, 2)
    k, v = (layer(x).view(*x.shape[:2], 2, 3).transpose(1, 2) for layer in (net.k, net.v))
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=True).transpose(1, 2).flatten(2)


def _attend_fused(net, x):
    q, k, v = net.qkv(x).view(*x.shape[:2], 3, 4, 3).permute(2, 0, 3, 1, 4).unbind(0)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _attend_fused_inside(net, x):
    qkv = net.qkv(x).view(*x.shape[:2], 4, 3, 3)
    q, k, v = (qkv[..., part, :].transpose(1, 2) for part in range(3))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _attention(attend, **layers):
    return Net(lambda net, x: net.o(attend(net, x)), o=nn.Linear(12, 4), **layers)


def _qkv():
    return {name: nn.Linear(5, 12) for name in "qkv"}


def _expert_layer(net, x):
    """The best two of five experts for each row, by indices."""
    weights, chosen = net.router(x).softmax(-1).topk(2, -1)
    hidden = torch.relu(torch.einsum("rkhd,rd->rkh", net.up[chosen], x))
    return (torch.einsum("rkoh,rkh->rko", net.down[chosen], hidden) * weights.unsqueeze(-1)).sum(1)


def _expert_layer_by_bmm(net, x):
    weights, chosen = net.router(x).softmax(-1).topk(2, -1)
    flat = chosen.reshape(-1)
    hidden = torch.relu(net.up[flat] @ x.repeat_interleave(2, 0).unsqueeze(-1))
    out = (net.down[flat] @ hidden).squeeze(-1) * weights.reshape(-1, 1)
    return out.view(-1, 2, 4).sum(1)


def _experts_all(net, x):
    """All experts, those that were not chosen multiplied by zero."""
    weights, chosen = net.router(x).softmax(-1).topk(2, -1)
    gates = torch.zeros(x.shape[0], 5, dtype=x.dtype).scatter(1, chosen, weights)
    hidden = torch.relu(torch.einsum("rd,ehd->reh", x, net.up))
    return torch.einsum("reh,eoh,re->ro", hidden, net.down, gates)


def _experts(forward):
    return Net(forward, router=nn.Linear(5, 5), up=weight(5, 7, 5), down=weight(5, 4, 7))


def _one_hot_routed(net, x):
    best = net.router(x).argmax(-1)
    return torch.einsum("re,eo->ro", F.one_hot(best, 5).to(x.dtype), net.table)


def _compared(net, x):
    best = net.router(x).argmax(-1, keepdim=True)
    return (best == torch.arange(5)).to(x.dtype) @ net.table


def _gathered(net, x):
    scores = net.router(x)
    return torch.relu(net.scale.expand(x.shape[0], 5).gather(1, scores.topk(2, -1).indices)) + scores.sum()


def _normed(layer, g=None):
    return nn.utils.parametrizations.weight_norm(layer) if g is None else nn.utils.weight_norm(layer)


CASES = {
    "linear": (
        _between(lambda net, x: torch.relu(x)),
        ROWS,
        {"a.weight": ("a.out", "a.in"), "b.weight": ("b.out", "a.out")},
    ),
    "addmm": (
        Net(
            lambda net, x: torch.addmm(net.bias, torch.relu(x @ net.a), net.b),
            a=weight(5, 7),
            b=weight(7, 4),
            bias=weight(4),
        ),
        ROWS,
        {"a": ("a.in", "a.out"), "b": ("a.out", "b.out"), "bias": ("b.out",)},
    ),
    "residual": (
        _with(lambda net, x: x + net.d(torch.relu(net.c(x))), c=nn.Linear(12, 7), d=nn.Linear(7, 12)),
        ROWS,
        {"c.weight": ("c.out", "a.out"), "d.weight": ("a.out", "c.out")},
    ),
    "view": (
        _between(lambda net, x: x.view(-1, 3, 4).transpose(1, 2).reshape(-1, 12)),
        ROWS,
        {"a.weight": ("a.out x a.out2", "a.in"), "b.weight": ("b.out", "a.out2 x a.out")},
    ),
    "unaligned view": (
        _between(lambda net, x: x.view(-1, 3, 4).transpose(1, 2).reshape(-1, 6, 2).transpose(1, 2).reshape(-1, 12)),
        ROWS,
        {"a.weight": ("a.out x a.out2", "a.in"), "b.weight": ("b.out", "b.in x b.in2")},
    ),
    "chunk": (
        _between(_halves, narrow=6),
        ROWS,
        {"a.weight": ("a.out | a.out", "a.in"), "b.weight": ("b.out", "a.out")},
    ),
    "slice": (
        _between(lambda net, x: x[:, 2:7], narrow=5),
        ROWS,
        {"a.weight": ("a.out | a.out2 | a.out3", "a.in"), "b.weight": ("b.out", "a.out2")},
    ),
    "strided slice": (_between(lambda net, x: x[:, ::2], narrow=6), ROWS, {"b.weight": ("b.out", "b.in")}),
    "cat": (
        _with(lambda net, x: torch.cat([x, net.c(x)], -1), narrow=19, c=nn.Linear(12, 7)),
        ROWS,
        {"b.weight": ("b.out", "a.out | c.out")},
    ),
    "stack": (
        _with(lambda net, x: torch.stack([x, net.c(x)], 1).flatten(1), narrow=24, c=nn.Linear(12, 12, bias=False)),
        ROWS,
        {"b.weight": ("b.out", "b.in x a.out"), "c.weight": ("a.out", "a.out")},
    ),
    "select": (
        _between(lambda net, x: x.view(-1, 3, 4)[:, 1], narrow=4),
        ROWS,
        {"b.weight": ("b.out", "a.out2")},
    ),
    "repeat": (_between(lambda net, x: x.repeat(1, 2), narrow=24), ROWS, {"b.weight": ("b.out", "b.in x a.out")}),
    "repeat_interleave": (
        _between(lambda net, x: x.repeat_interleave(2, -1), narrow=24),
        ROWS,
        {"b.weight": ("b.out", "a.out x b.in")},
    ),
    "expand": (
        Net(
            lambda net, x: net.b(net.a(x).expand(-1, 12) * net.scale),
            a=nn.Linear(5, 1),
            b=nn.Linear(12, 4),
            scale=weight(12),
        ),
        ROWS,
        {"scale": ("scale.out",), "b.weight": ("b.out", "scale.out")},
    ),
    "pad channels": (
        _between(lambda net, x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 3)), narrow=17, image=True),
        IMAGE,
        {"b.weight": ("b.out", "b.in | a.out | b.in2", "", "")},
    ),
    "flip": (
        _between(lambda net, x: x.flip(-1)),
        ROWS,
        {"a.weight": ("a.out", "a.in"), "b.weight": ("b.out", "a.out")},
    ),
    "roll": (_between(lambda net, x: x.roll(2, -1)), ROWS, {"b.weight": ("b.out", "a.out")}),
    "cumsum": (_between(lambda net, x: x.cumsum(-1)), ROWS, {"b.weight": ("b.out", "a.out")}),
    "softmax": (_between(lambda net, x: x.softmax(-1)), ROWS, {"b.weight": ("b.out", "a.out")}),
    "glu": (_between(lambda net, x: F.glu(x), narrow=6), ROWS, {"a.weight": ("a.out | a.out", "a.in")}),
    "prelu": (
        _with(lambda net, x: net.slope(x), image=True, slope=nn.PReLU(12)),
        IMAGE,
        {"slope.weight": ("a.out",)},
    ),
    "layer_norm": (_with(lambda net, x: net.norm(x), norm=nn.LayerNorm(12)), ROWS, {"norm.weight": ("a.out",)}),
    "rms_norm": (_with(lambda net, x: net.norm(x), norm=nn.RMSNorm(12)), ROWS, {"norm.weight": ("a.out",)}),
    "batch_norm": (
        _with(lambda net, x: net.norm(x), image=True, norm=nn.BatchNorm2d(12)),
        IMAGE,
        {"norm.running_var": ("a.out",), "norm.bias": ("a.out",)},
    ),
    "instance_norm": (
        _with(lambda net, x: net.norm(x), image=True, norm=nn.InstanceNorm2d(12, affine=True)),
        IMAGE,
        {"norm.weight": ("a.out",)},
    ),
    "group_norm": (
        _with(lambda net, x: net.norm(x), image=True, norm=nn.GroupNorm(3, 12)),
        IMAGE,
        {"norm.weight": ("a.out x a.out2",), "b.weight": ("b.out", "a.out x a.out2", "", "")},
    ),
    "group_norm of a concatenation": (
        _with(
            lambda net, x: net.norm(torch.cat([x, net.c(x)], 1)),
            narrow=20,
            image=True,
            c=nn.Conv2d(12, 8, 1),
            norm=nn.GroupNorm(5, 20),
        ),
        IMAGE,
        {"norm.weight": ("a.out | c.out x a.out2",), "c.weight": ("c.out x a.out2", "a.out x a.out2", "", "")},
    ),
    "weight_norm": (
        _with(lambda net, x: net.c(x), narrow=7, c=nn.utils.parametrizations.weight_norm(nn.Linear(12, 7))),
        ROWS,
        {
            "c.parametrizations.weight.original0": ("c.out", ""),
            "c.parametrizations.weight.original1": ("c.out", "a.out"),
        },
    ),
    "weight_norm of a transposed convolution": (
        _with(
            lambda net, x: net.c(x),
            narrow=7,
            image=True,
            c=nn.utils.parametrizations.weight_norm(nn.ConvTranspose2d(12, 7, 2)),
        ),
        IMAGE,
        {
            "c.parametrizations.weight.original0": ("a.out", "", "", ""),
            "c.parametrizations.weight.original1": ("a.out", "c.out", "c.tap0", "c.tap1"),
        },
    ),
    "spectral_norm": (
        _with(lambda net, x: net.c(x), narrow=7, c=nn.utils.parametrizations.spectral_norm(nn.Linear(12, 7))),
        ROWS,
        {
            "c.parametrizations.weight.original": ("c.out", "a.out"),
            "c.parametrizations.weight.0._u": ("c.out",),
            "c.parametrizations.weight.0._v": ("a.out",),
        },
    ),
    "conv2d in groups": (
        _with(lambda net, x: net.c(x), narrow=8, image=True, c=nn.Conv2d(12, 8, 3, groups=4)),
        IMAGE,
        {
            "a.weight": ("a.out x a.out2", "a.in", "a.tap0", "a.tap1"),
            "c.weight": ("a.out x c.out", "a.out2", "c.tap0", "c.tap1"),
        },
    ),
    "depthwise conv2d": (
        _with(lambda net, x: net.c(x), image=True, c=nn.Conv2d(12, 12, 3, groups=12)),
        IMAGE,
        {"c.weight": ("a.out", "", "c.tap0", "c.tap1")},
    ),
    "depthwise conv2d of several": (
        _with(lambda net, x: net.c(x), narrow=24, image=True, c=nn.Conv2d(12, 24, 3, groups=12)),
        IMAGE,
        {"c.weight": ("a.out x c.out", "", "c.tap0", "c.tap1"), "b.weight": ("b.out", "a.out x c.out", "", "")},
    ),
    "conv_transpose2d": (
        _with(lambda net, x: net.c(x), narrow=7, image=True, c=nn.ConvTranspose2d(12, 7, 2)),
        IMAGE,
        {"c.weight": ("a.out", "c.out", "c.tap0", "c.tap1"), "c.bias": ("c.out",)},
    ),
    "conv_transpose2d in groups": (
        _with(lambda net, x: net.c(x), narrow=8, image=True, c=nn.ConvTranspose2d(12, 8, 2, groups=4)),
        IMAGE,
        {"c.weight": ("a.out x a.out2", "c.out", "c.tap0", "c.tap1"), "c.bias": ("a.out x c.out",)},
    ),
    "flatten": (
        Net(lambda net, x: net.b(F.max_pool2d(net.a(x), 3).flatten(1)), a=nn.Conv2d(3, 12, 3), b=nn.Linear(48, 4)),
        IMAGE,
        {"b.weight": ("b.out", "a.out x b.in x b.in2")},
    ),
    "adaptive_avg_pool2d": (
        _between(lambda net, x: F.adaptive_avg_pool2d(x, 2), image=True),
        IMAGE,
        {"b.bias": ("b.out",)},
    ),
    "upsample": (_between(lambda net, x: F.interpolate(x, scale_factor=2, mode="bilinear"), image=True), IMAGE, {}),
    "pixel_shuffle": (
        _between(lambda net, x: F.pixel_shuffle(x, 2), narrow=3, image=True),
        IMAGE,
        {"a.weight": ("a.out x a.out2", "a.in", "a.tap0", "a.tap1"), "b.weight": ("b.out", "a.out", "", "")},
    ),
    "pixel_unshuffle": (
        _between(lambda net, x: F.pixel_unshuffle(x, 2), narrow=48, image=True),
        IMAGE,
        {"b.weight": ("b.out", "a.out x b.in", "", "")},
    ),
    "channel_shuffle": (
        _between(lambda net, x: F.channel_shuffle(x, 3), image=True),
        IMAGE,
        {"a.bias": ("a.out x a.out2",), "b.weight": ("b.out", "a.out2 x a.out", "", "")},
    ),
    "max of two": (
        _with(lambda net, x: torch.max(x, net.c(x)), c=nn.Linear(12, 12)),
        ROWS,
        {"c.weight": ("a.out", "a.out")},
    ),
    "max along an axis": (
        _between(lambda net, x: x.view(-1, 3, 4).max(1).values, narrow=4),
        ROWS,
        {"a.weight": ("a.out x a.out2", "a.in"), "b.weight": ("b.out", "a.out2")},
    ),
    "sort": (
        _between(lambda net, x: x.sort(-1).values),
        ROWS,
        {"a.weight": ("a.out", "a.in"), "b.weight": ("b.out", "b.in")},
    ),
    "mean": (_between(lambda net, x: x - x.mean(-1, keepdim=True)), ROWS, {"b.weight": ("b.out", "a.out")}),
    "batch_norm of a weight": (
        Net(
            lambda net, x: net.b(x @ F.batch_norm(net.a[None], None, None, training=True)[0].T),
            a=weight(7, 5),
            b=nn.Linear(7, 4),
        ),
        ROWS,
        {"a": ("a.out", "a.in"), "b.weight": ("b.out", "a.out")},
    ),
    "einsum": (
        Net(lambda net, x: torch.einsum("rd,hd,oh->ro", x, net.a, net.b), a=weight(7, 5), b=weight(4, 7)),
        ROWS,
        {"a": ("a.out", "a.in"), "b": ("b.out", "a.out")},
    ),
    "attention": (
        _attention(_attend, **_qkv()),
        STEPS,
        {
            "q.weight": ("q.heads x q.head_dim", "q.in"),
            "k.weight": ("q.heads x q.head_dim", "q.in"),
            "v.weight": ("q.heads x v.head_dim", "q.in"),
            "o.weight": ("o.out", "q.heads x v.head_dim"),
        },
    ),
    "attention by hand": (
        _attention(_attend_by_hand, **_qkv()),
        STEPS,
        {"q.weight": ("q.heads x q.head_dim", "q.in"), "o.weight": ("o.out", "q.heads x v.head_dim")},
    ),
    "grouped queries": (
        _attention(_attend_grouped, q=nn.Linear(5, 12), k=nn.Linear(5, 6), v=nn.Linear(5, 6)),
        STEPS,
        {
            "q.weight": ("q.heads x q.repeats x q.head_dim", "q.in"),
            "k.weight": ("q.heads x q.head_dim", "q.in"),
            "o.weight": ("o.out", "q.heads x q.repeats x v.head_dim"),
        },
    ),
    "fused projection": (
        _attention(_attend_fused, qkv=nn.Linear(5, 36)),
        STEPS,
        {
            "qkv.weight": ("qkv.heads x qkv.head_dim | qkv.heads x qkv.head_dim | qkv.heads x qkv.head_dim2", "qkv.in"),
            "o.weight": ("o.out", "qkv.heads x qkv.head_dim2"),
        },
    ),
    "torch's own attention": (
        Net(
            lambda net, x: net.b(net.attention(y := net.a(x), y, y, need_weights=False)[0]),
            a=nn.Linear(5, 12),
            attention=nn.MultiheadAttention(12, 4, batch_first=True),
            b=nn.Linear(12, 4),
        ),
        STEPS,
        {
            "attention.out_proj.weight": (
                "attention.out_proj.out",
                "attention.in_proj_weight.heads x attention.in_proj_weight.head_dim2",
            ),
        },
    ),
    "projection fused head by head": (
        _attention(_attend_fused_inside, qkv=nn.Linear(5, 36)),
        STEPS,
        {
            "qkv.weight": ("qkv.heads x qkv.head_dim | qkv.head_dim | qkv.head_dim2", "qkv.in"),
            "o.weight": ("o.out", "qkv.heads x qkv.head_dim2"),
        },
    ),
    "experts by indices": (
        _experts(_expert_layer),
        ROWS,
        {"router.weight": ("router.experts", "router.in"), "up": ("router.experts", "up.out", "router.in")},
    ),
    "experts by bmm": (
        _experts(_expert_layer_by_bmm),
        ROWS,
        {"router.bias": ("router.experts",), "down": ("router.experts", "down.out", "up.out")},
    ),
    "all experts": (
        _experts(_experts_all),
        ROWS,
        {"router.bias": ("router.out",), "up": ("router.out", "up.out", "router.in")},
    ),
    "one_hot": (
        Net(_one_hot_routed, router=nn.Linear(5, 5), table=weight(5, 4)),
        ROWS,
        {"router.bias": ("router.out",), "table": ("router.out", "table.out")},
    ),
    "eq with arange": (
        Net(_compared, router=nn.Linear(5, 5), table=weight(5, 4)),
        ROWS,
        {"table": ("router.out", "table.out")},
    ),
    "gather": (Net(_gathered, router=nn.Linear(5, 5), scale=weight(1, 5)), ROWS, {"scale": ("", "router.out")}),
}


@cache
def _checked(name):
    net, inputs, _ = CASES[name]
    return checked(net, inputs)


@pytest.mark.parametrize("name", CASES)
def test_an_operators_rule_gives_its_axes(name):
    expected, found = CASES[name][-1], _checked(name)
    assert {tensor: found.text(tensor) for tensor in expected} == expected
    assert not found.traced.unknown


@pytest.mark.parametrize("name", CASES)
def test_free_atoms_may_be_permuted(name, record_property):
    found = _checked(name)
    record_property("change under traced permutations", found.change)
    assert found.change < 1e-12
    assert not found.free or found.control > 1e-3
