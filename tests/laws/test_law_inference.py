"""What is inferred from names and shapes alone holds for the network behind them, whatever its wiring."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu, silu

from wembed.symmetry import apply_action, infer_spec, random_action

IMAGES, VECTORS = (4, 3, 8, 8), (4, 8)


class Wired(nn.Module):
    """Named layers, and how they are called."""

    def __init__(self, call: Callable, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._call = call

    def forward(self, inputs: Tensor) -> Tensor:
        return self._call(self, inputs)


def linear(*widths: int) -> list[nn.Module]:
    """Linear layers from width to width."""
    return [nn.Linear(source, target) for source, target in itertools.pairwise(widths)]


def named(call: Callable, *layers: nn.Module) -> Wired:
    """Layers called fc1, fc2, ..."""
    return Wired(call, **{f"fc{number}": layer for number, layer in enumerate(layers, start=1)})


def with_skip(net: Wired, x: Tensor) -> Tensor:
    hidden = relu(net.fc1(x))
    return net.fc3(hidden + relu(net.fc2(hidden)))


def with_long_skip(net: Wired, x: Tensor) -> Tensor:
    hidden = relu(net.fc1(x))
    return net.fc4(hidden + relu(net.fc3(relu(net.fc2(hidden)))))


def with_concatenation(net: Wired, x: Tensor) -> Tensor:
    hidden = relu(net.fc1(x))
    return net.fc3(torch.cat([hidden, relu(net.fc2(hidden))], 1))


def with_input_skip(net: Wired, x: Tensor) -> Tensor:
    return net.fc2(x + relu(net.fc1(x)))


def gated(net: Wired, x: Tensor) -> Tensor:
    return net.fc2(silu(net.fc1(x)) * net.fc3(x))


def both(net: Wired, x: Tensor) -> Tensor:
    return torch.cat([net.fc1(x), net.fc2(x)], 1)


def u_net(net: Wired, x: Tensor) -> Tensor:
    hidden = relu(net.down1(x))
    return net.up1(hidden + net.up2(relu(net.down2(hidden))))


def conv(source: int, target: int, size: int = 3, groups: int = 1) -> nn.Module:
    return nn.Conv2d(source, target, size, padding=size // 2, groups=groups)


# Name: network, shape of its inputs, and the groups that should be found.
NETWORKS = {
    "sequential": (nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)), VECTORS, 2),
    "pyramid": (named(lambda n, x: n.fc3(relu(n.fc2(relu(n.fc1(x))))), *linear(8, 7, 6, 2)), VECTORS, 2),
    "equal widths": (named(lambda n, x: n.fc3(relu(n.fc2(relu(n.fc1(x))))), *linear(8, 6, 6, 2)), VECTORS, 0),
    "skip": (named(with_skip, *linear(8, 6, 6, 2)), VECTORS, 0),
    "long skip": (named(with_long_skip, *linear(8, 6, 9, 6, 2)), VECTORS, 1),
    "input skip": (named(with_input_skip, *linear(8, 8, 2)), VECTORS, 0),
    "concatenation": (named(with_concatenation, nn.Linear(8, 6), nn.Linear(6, 5), nn.Linear(11, 2)), VECTORS, 0),
    "gated": (named(gated, nn.Linear(8, 20), nn.Linear(20, 8), nn.Linear(8, 20)), VECTORS, 0),
    "two heads": (named(both, nn.Linear(8, 8), nn.Linear(8, 3)), VECTORS, 0),
    "skip over a narrow middle": (
        Wired(u_net, **dict(zip(("down1", "down2", "up2", "up1"), linear(8, 6, 9, 6, 8), strict=True))),
        VECTORS,
        0,
    ),
    "batch norm": (nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 4)), IMAGES, 1),
    "group norm": (nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8), nn.ReLU(), conv(8, 4)), IMAGES, 0),
    "flatten": (
        nn.Sequential(conv(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 6), nn.ReLU(), nn.Linear(6, 2)),
        IMAGES,
        1,
    ),
    "depthwise": (
        nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 8, groups=8), nn.ReLU(), conv(8, 4, 1)),
        IMAGES,
        0,
    ),
    "depthwise first": (nn.Sequential(conv(3, 3, groups=3), nn.ReLU(), conv(3, 4, 1)), IMAGES, 0),
    "grouped": (nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 8, groups=2), nn.ReLU(), conv(8, 4, 1)), IMAGES, 0),
    "transposed between convolutions": (
        nn.Sequential(conv(3, 8), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2, 2), nn.ReLU(), conv(8, 3)),
        IMAGES,
        0,
    ),
    "transposed": (
        nn.Sequential(nn.ConvTranspose2d(3, 5, 4), nn.ReLU(), nn.ConvTranspose2d(5, 3, 4)),
        IMAGES,
        0,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_inferred_groups_may_be_permuted(name):
    network, shape, expected = NETWORKS[name]
    torch.manual_seed(0)
    network = network.double().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            for parameter in (layer.weight.data, layer.bias.data):
                parameter.normal_()
    weights = {key: value.numpy() for key, value in network.state_dict().items() if value.is_floating_point()}
    spec = infer_spec({key: value.shape for key, value in weights.items()})
    inputs = torch.randn(shape, dtype=torch.float64)
    with torch.no_grad():
        before = network(inputs)
        action = random_action(spec, np.random.default_rng(1))
        moved = {key: torch.from_numpy(value) for key, value in apply_action(action, spec, weights.__getitem__)}
        network.load_state_dict(moved, strict=False)
        after = network(inputs)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    assert sum(not atom.frozen for atom in spec.atoms.values()) == expected
