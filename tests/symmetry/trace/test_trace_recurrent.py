"""Recurrent layers: gates are sums of one hidden axis, whichever layer and direction."""

from functools import cache

import pytest
import torch
from torch import nn
from traced_nets import Net, checked

STEPS = torch.randn(2, 6, 5)


def _all_steps(net, x):
    return net.last(net.layer(x)[0])


def _last_state(net, x):
    state = net.layer(x)[1]
    return net.last((state[0] if isinstance(state, tuple) else state)[-1])


def _both_last_states(net, x):
    return net.last(net.layer(x)[1][0].transpose(0, 1).flatten(1))


def _steps_of_a_cell(net, x):
    state = None
    for step in range(3):
        state = net.layer(x[:, step], state)
    return net.last(state[0] if isinstance(state, tuple) else state)


def _net(forward, layer, wide=7):
    return Net(forward, layer=layer, last=nn.Linear(wide, 4))


def _gates(name, count):
    return " | ".join([name] * count)


FIRST, SECOND, BACK = "layer.weight_ih_l0.out", "layer.weight_ih_l1.out", "layer.weight_ih_l0_reverse.out"

CASES = {
    "lstm of two layers": (
        _net(_all_steps, nn.LSTM(5, 7, 2, batch_first=True)),
        {
            "layer.weight_ih_l0": (_gates(FIRST, 4), "layer.weight_ih_l0.in"),
            "layer.weight_hh_l0": (_gates(FIRST, 4), FIRST),
            "layer.weight_ih_l1": (_gates(SECOND, 4), FIRST),
            "layer.bias_hh_l1": (_gates(SECOND, 4),),
            "last.weight": ("last.out", SECOND),
        },
    ),
    "lstm in both directions": (
        _net(_all_steps, nn.LSTM(5, 7, 2, bidirectional=True, bias=False), 14),
        {
            "layer.weight_hh_l0_reverse": (_gates(BACK, 4), BACK),
            "layer.weight_ih_l1": (_gates(SECOND, 4), f"{FIRST} | {BACK}"),
        },
    ),
    "gru of two layers": (
        _net(_all_steps, nn.GRU(5, 7, 2)),
        {"layer.weight_hh_l0": (_gates(FIRST, 3), FIRST), "last.weight": ("last.out", SECOND)},
    ),
    "rnn": (
        _net(_all_steps, nn.RNN(5, 7, nonlinearity="relu", batch_first=True)),
        {"layer.weight_hh_l0": (FIRST, FIRST), "last.weight": ("last.out", FIRST)},
    ),
    "last state of a gru": (
        _net(_last_state, nn.GRU(5, 7, batch_first=True)),
        {"last.weight": ("last.out", FIRST)},
    ),
    "last states of a gru of two layers": (
        _net(_last_state, nn.GRU(5, 7, 2, batch_first=True)),
        {"layer.weight_ih_l1": (_gates(FIRST, 3), FIRST), "last.weight": ("last.out", FIRST)},
    ),
    "last states of both directions": (
        _net(_both_last_states, nn.LSTM(5, 7, bidirectional=True, batch_first=True), 14),
        {"last.weight": ("last.out", f"last.in x {FIRST}")},
    ),
    "lstm_cell": (
        _net(_steps_of_a_cell, nn.LSTMCell(5, 7)),
        {"layer.weight_hh": (_gates("layer.weight_ih.out", 4), "layer.weight_ih.out")},
    ),
    "gru_cell": (
        _net(_steps_of_a_cell, nn.GRUCell(5, 7)),
        {"layer.weight_hh": (_gates("layer.weight_ih.out", 3), "layer.weight_ih.out")},
    ),
}


@cache
def _checked(name):
    return checked(CASES[name][0], STEPS)


@pytest.mark.parametrize("name", CASES)
def test_gates_are_sums_of_the_hidden_axis(name):
    expected, found = CASES[name][1], _checked(name)
    assert {tensor: found.text(tensor) for tensor in expected} == expected
    assert not found.traced.unknown


@pytest.mark.parametrize("name", CASES)
def test_hidden_units_of_a_recurrent_layer_may_be_permuted(name, record_property):
    found = _checked(name)
    record_property("change under traced permutations", found.change)
    assert found.change < 1e-12
    assert found.control > 1e-3
    assert FIRST in found.free or "layer.weight_ih.out" in found.free


def test_a_projected_lstm_is_not_understood_and_named():
    found = checked(_net(_all_steps, nn.LSTM(5, 7, proj_size=3, batch_first=True), 3), STEPS)
    assert found.traced.unknown == {"lstm": 1}
    assert found.change < 1e-12
