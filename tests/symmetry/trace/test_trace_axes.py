"""What tracing says of whole modules: parents, names, kinds, reasons, ties, and what it cannot follow."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from traced_nets import Net, checked, weight

from wembed.errors import WembedError
from wembed.symmetry.trace import trace_axes

ROWS, STEPS = torch.randn(3, 5), torch.randn(2, 6, 5)


def _heads(x, count):
    return x.view(*x.shape[:2], count, -1).transpose(1, 2)


def _attend(net, x, norm=lambda net, q: q):
    q, k, v = (_heads(layer(x), 4) for layer in (net.q, net.k, net.v))
    return net.o(F.scaled_dot_product_attention(norm(net, q), norm(net, k), v).transpose(1, 2).flatten(2))


def _attention(forward, **parts):
    return Net(forward, **{name: nn.Linear(5, 12) for name in "qkv"}, o=nn.Linear(12, 4), **parts)


def _parents(net, inputs=STEPS):
    found = checked(net, inputs)
    assert found.change < 1e-12
    return {atom.name: atom.under for atom in found.traced.atoms.values() if atom.under}


def test_dims_may_be_permuted_differently_in_each_head():
    assert _parents(_attention(_attend)) == {"q.head_dim": "q.heads", "v.head_dim": "q.heads"}


def test_a_norm_shared_by_all_heads_holds_their_dims_together():
    net = _attention(lambda net, x: _attend(net, x, lambda net, q: net.norm(q)), norm=nn.RMSNorm(3))
    assert _parents(net) == {"v.head_dim": "q.heads"}


def test_one_pair_of_keys_and_values_has_no_parent():
    def forward(net, x):
        q, k, v = _heads(net.q(x), 4), _heads(net.k(x), 1), _heads(net.v(x), 1)
        return net.o(F.scaled_dot_product_attention(q, k, v, enable_gqa=True).transpose(1, 2).flatten(2))

    net = Net(forward, q=nn.Linear(5, 12), k=nn.Linear(5, 3), v=nn.Linear(5, 3), o=nn.Linear(12, 4))
    assert _parents(net) == {}


def test_grouped_queries_have_the_heads_of_keys_as_parent():
    def forward(net, x):
        q, k, v = _heads(net.q(x), 4), _heads(net.k(x), 2), _heads(net.v(x), 2)
        return net.o(F.scaled_dot_product_attention(q, k, v, enable_gqa=True).transpose(1, 2).flatten(2))

    net = Net(forward, q=nn.Linear(5, 12), k=nn.Linear(5, 6), v=nn.Linear(5, 6), o=nn.Linear(12, 4))
    assert _parents(net) == dict.fromkeys(("q.repeats", "q.head_dim", "v.head_dim"), "q.heads")


def test_a_softmax_over_heads_holds_their_dims_together():
    net = Net(
        lambda net, x: net.b(net.a(x).view(-1, 4, 3).softmax(1).flatten(1)), a=nn.Linear(5, 12), b=nn.Linear(12, 4)
    )
    parents = _parents(net, ROWS)
    assert "a.out2" not in parents


def test_products_between_all_heads_hold_their_dims_together():
    def forward(net, x):
        y = net.a(x).view(-1, 4, 3)
        return net.b((y @ y.transpose(1, 2)).flatten(1))

    parents = _parents(Net(forward, a=nn.Linear(5, 12), b=nn.Linear(16, 4)), ROWS)
    assert parents == {}


def test_rolled_heads_hold_their_dims_together():
    def forward(net, x):
        y = net.a(x).view(-1, 4, 3)
        return net.b((y * y.roll(1, 1)).flatten(1))

    assert _parents(Net(forward, a=nn.Linear(5, 12), b=nn.Linear(12, 4)), ROWS) == {}


def test_channels_have_their_group_as_parent():
    net = Net(
        lambda net, x: net.b(net.c(net.a(x))),
        a=nn.Conv2d(3, 12, 1),
        c=nn.Conv2d(12, 8, 3, groups=4),
        b=nn.Conv2d(8, 4, 1),
    )
    assert _parents(net, torch.randn(2, 3, 6, 6)) == {"a.out2": "a.out", "c.out": "a.out"}


def _experts(index):
    def forward(net, x):
        weights, chosen = net.router(x).softmax(-1).topk(2, -1)
        flat = chosen.reshape(-1)
        hidden = torch.relu(net.up[flat] @ x.repeat_interleave(2, 0).unsqueeze(-1))
        out = (net.down[index(flat)] @ hidden).squeeze(-1) * weights.reshape(-1, 1)
        return out.view(-1, 2, 4).sum(1)

    return Net(forward, router=nn.Linear(5, 5), up=weight(5, 7, 5), down=weight(5, 4, 7))


def test_hidden_units_may_be_permuted_differently_in_each_expert():
    assert _parents(_experts(lambda flat: flat), ROWS) == {"up.out": "router.experts"}


def test_hidden_units_that_meet_another_expert_are_held_together():
    assert _parents(_experts(lambda flat: flat.flip(0)), ROWS) == {}


def test_experts_that_are_computed_with_are_frozen():
    found = checked(_experts(lambda flat: (flat + 1) % 5), ROWS)
    assert found.change < 1e-12
    assert found.traced.atoms["router.experts"].frozen == "indices that are used as numbers"


class _Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.layers = nn.ModuleList(_Block() for _ in range(3))
        self.head = nn.Linear(8, 11, bias=False)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class _Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.up, self.down = nn.Linear(8, 6), nn.Linear(6, 8)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


def _traced(net, *inputs):
    return trace_axes(net.eval(), inputs)


def test_names_of_repeated_layers_differ_by_the_number_alone():
    traced = _traced(_Blocks(), torch.zeros(2, 4, dtype=torch.long))
    for name, axes in traced.tensors.items():
        if name.startswith("layers.1."):
            other = traced.tensors[name.replace("layers.1.", "layers.2.")]
            assert repr(axes).replace("layers.1.", "layers.2.") == repr(other)


def test_atoms_say_what_their_indices_are_and_why_they_are_frozen():
    traced = _traced(_Blocks(), torch.zeros(2, 4, dtype=torch.long))
    kinds = {name: (atom.kind, atom.frozen) for name, atom in traced.atoms.items()}
    assert kinds["embed.vocabulary"] == ("vocabulary", "vocabulary")
    assert kinds["embed.out"] == ("hidden", "")
    assert kinds["head.out"] == ("output", "model output")
    assert kinds["layers.0.up.out"] == ("hidden", "")


def test_tied_tensors_have_the_same_axes():
    net = _Blocks()
    net.head.weight = net.embed.weight
    traced = _traced(net, torch.zeros(2, 4, dtype=torch.long))
    assert traced.tensors["head.weight"] == traced.tensors["embed.weight"]
    assert set(traced.parameters.values()) >= {"embed.weight"}


def test_a_module_that_is_used_twice_has_one_set_of_axes():
    net = Net(
        lambda net, x: net.b(net.c(torch.relu(net.c(net.a(x))))),
        a=nn.Linear(5, 8),
        c=nn.Linear(8, 8),
        b=nn.Linear(8, 4),
    )
    found = checked(net, ROWS)
    assert found.text("c.weight") == ("a.out", "a.out")
    assert found.change < 1e-12


def test_what_is_not_used_is_not_there():
    net = Net(lambda net, x: net.a(x), a=nn.Linear(5, 4), unused=nn.Linear(3, 3))
    assert set(_traced(net, ROWS).tensors) == {"a.weight", "a.bias"}


def test_an_unknown_operator_freezes_what_it_touches_and_is_named():
    net = Net(lambda net, x: net.b(torch.linalg.qr(net.a(x))[0]), a=nn.Linear(5, 3), b=nn.Linear(3, 4))
    traced = _traced(net, ROWS)
    assert traced.unknown == {"linalg_qr": 1}
    assert traced.atoms["a.out"].frozen == "operator linalg_qr is not known"


def test_an_unaligned_axis_is_frozen():
    net = Net(
        lambda net, x: net.b(net.a(x).view(-1, 3, 4).transpose(1, 2).reshape(-1, 6, 2).sum(-1)),
        a=nn.Linear(5, 12),
        b=nn.Linear(6, 4),
    )
    found = checked(net, ROWS)
    assert not found.free
    assert found.traced.atoms["a.out"].frozen == "factors that do not line up"


def test_a_module_that_cannot_be_followed_is_refused_in_one_line():
    net = Net(lambda net, x: net.a(x) if x.sum() > 0 else x, a=nn.Linear(5, 5))
    with pytest.raises(WembedError, match=r"torch\.export cannot follow Net: ") as caught:
        _traced(net, ROWS)
    assert "\n" not in str(caught.value)
    assert "--spec" in caught.value.hint


def test_weights_are_not_read():
    with torch.device("meta"):
        net = _Blocks()
        tokens = torch.zeros(2, 4, dtype=torch.long)
    assert "layers.2.up.out" in _traced(net, tokens).atoms
