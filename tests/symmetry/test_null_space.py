"""What a spec claims, against all continuous symmetries that there are: what is missed is known, and said here.

A tiny network of each family at random weights; the null space of its outputs' Jacobian holds every direction along
which its function stays. It is as large as what is claimed and what is known to be missed together.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from null_space import claimed_directions, null_space
from random_networks import Function
from torch import Tensor, nn
from torch.nn import functional as F

from wembed.models.foreign import Runnable, config_runnable
from wembed.symmetry.fitted import traced_spec
from wembed.symmetry.generators import generators

GAP = 1e4  # between singular values that count and those that do not
OFF = 1e-7  # of directions that lead nowhere
EPS = 0.1  # of norms: large, so that what holds up to it only is not taken for a symmetry

# Reasons for which a symmetry is missed.
WRITTEN_MEAN = "a layer norm takes away the mean: whatever writes into it may add the same to every channel"
READ_MEAN = "a layer norm's channels add up to 0: whatever reads them may add the same, over the gains, to every weight"
NORM_BIAS = "a norm's bias may move into the biases of all that reads it"
TABLES = "what one table adds to every row another may take away"
UNREACHED = "no distance is counted in one of the encoder's four rows"
POSITION_SHIFT = "a softmax does not see what is added to all of a head's distances"
TWO_BIASES = "two biases are added up"
RUNNING = "a norm's mean and variance may move into its bias and weight"
MATRICES = "between two layers without an activation any matrix may stand; factors are known"
GATE = "a gate behind a ReLU may be scaled as what it is multiplied with is; the latter is known"
BIAS = "between two layers without an activation a bias may move on"


@dataclass(frozen=True)
class Case:
    """A tiny network.

    Args:
        network: makes it.
        inputs: enough of them.
        claimed: dimensions by kind of generator.
        missed: reason -> dimensions.
    """

    network: Callable[[], Runnable]
    inputs: Callable[[], tuple[Tensor, ...]]
    claimed: Mapping[str, int]
    missed: Mapping[str, int] = field(default_factory=dict)


def _normal(*shape: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: (torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64),)


def _tokens(*sizes: int, length: int = 6) -> Callable[[], tuple[Tensor, ...]]:
    def draw() -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(0)
        return tuple(torch.randint(size, (60, length), generator=generator) for size in sizes)

    return draw


def _typed() -> tuple[Tensor, ...]:
    """Tokens, no mask, and which of two sentences they belong to."""
    tokens, types = _tokens(7, 2)()
    return tokens, None, types


def _pairs() -> tuple[Tensor, ...]:
    """What the encoder reads, no mask, and what the decoder reads, all distances of the table among them."""
    (tokens,) = _tokens(7, length=9)()
    return tokens, None, tokens.flip(1)


def _module(shape: tuple[int, ...], build: Callable[[], nn.Module]) -> Callable[[], Runnable]:
    return lambda: Runnable("network", build, (torch.zeros(2, *shape),))


def _config(**config: object) -> Callable[[], Runnable]:
    """A network of transformers, none of whose tokens is a padding."""
    return lambda: config_runnable(config)


def _hidden(activation: Callable[[Tensor], Tensor]) -> nn.Module:
    return Function(lambda own, x: own.b(activation(own.a(x))), a=nn.Linear(5, 3), b=nn.Linear(3, 4))


def _gated(activation: Callable[[Tensor], Tensor]) -> nn.Module:
    layers = {name: nn.Linear(4, 5, bias=False) for name in ("gate", "up")}

    def forward(own, x):
        return own.down(activation(own.gate(x)) * own.up(x))

    return Function(forward, **layers, down=nn.Linear(5, 4, bias=False))


def _recurrent(layer: nn.Module) -> nn.Module:
    return Function(lambda own, x: own.out(own.cell(x)[0]), cell=layer, out=nn.Linear(4, 3))


class Norm(nn.BatchNorm2d):
    """A batch norm whose mean and variance have derivatives."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.running_mean.requires_grad:
            return super().forward(x)
        mean, variance, weight, bias = (
            value[:, None, None] for value in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        return (x - mean) / (variance + self.eps).sqrt() * weight + bias


def _residual() -> nn.Module:
    def forward(own, x):
        x = F.relu(own.bn0(own.conv0(x)))
        x = F.relu(x + own.bn2(own.conv2(F.relu(own.bn1(own.conv1(x))))))
        return own.out(x.mean((2, 3)))

    convs = {
        f"conv{i}": nn.Conv2d(s, t, 2, bias=False, padding="same") for i, (s, t) in enumerate([(2, 3), (3, 4), (4, 3)])
    }
    norms = {f"bn{i}": Norm(size) for i, size in enumerate([3, 4, 3])}
    return Function(forward, **convs, **norms, out=nn.Linear(3, 5))


CASES = {
    "relu": Case(_module((5,), lambda: _hidden(F.relu)), _normal(60, 5), {"scale": 3}),
    "gelu": Case(_module((5,), lambda: _hidden(F.gelu)), _normal(60, 5), {}),
    "linear": Case(
        _module((5,), lambda: _hidden(lambda x: x)), _normal(60, 5), {"scale": 3}, {MATRICES: 3 * 3 - 3, BIAS: 3}
    ),
    "gated": Case(_module((4,), lambda: _gated(F.silu)), _normal(60, 4), {"scale": 5}),
    "gated by ReLU": Case(_module((4,), lambda: _gated(F.relu)), _normal(60, 4), {"scale": 5}, {GATE: 5}),
    "gru": Case(
        _module((3, 3), lambda: _recurrent(nn.GRU(3, 4, batch_first=True))), _normal(60, 3, 3), {}, {TWO_BIASES: 2 * 4}
    ),
    "lstm": Case(
        _module((3, 3), lambda: _recurrent(nn.LSTM(3, 4, batch_first=True))), _normal(60, 3, 3), {}, {TWO_BIASES: 4 * 4}
    ),
    "resnet": Case(
        _module((2, 4, 4), _residual), _normal(60, 2, 4, 4), {"scale": 3 + 4 + 3 + 4 + 3}, {RUNNING: 2 * (3 + 4 + 3)}
    ),
    "llama": Case(
        _config(
            model_type="llama", vocab_size=7, hidden_size=6, intermediate_size=5, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, head_dim=4, rms_norm_eps=EPS,
        ),
        _tokens(7),
        {"scale": 6 + 6 + 5, "turn": 2 * 2, "mix": 4 * 4},
    ),
    "qwen2": Case(
        _config(
            model_type="qwen2", vocab_size=7, hidden_size=4, intermediate_size=3, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, head_dim=4, rms_norm_eps=EPS,
        ),
        _tokens(7),
        {"scale": 4 + 4 + 3, "turn": 2 * 2, "mix": 4 * 4},
    ),
    "t5": Case(
        _config(
            model_type="t5", d_model=4, d_kv=2, d_ff=5, num_heads=2, num_layers=1, num_decoder_layers=1, vocab_size=7,
            relative_attention_num_buckets=4, relative_attention_max_distance=8, feed_forward_proj="relu",
            layer_norm_epsilon=EPS,
        ),
        _pairs,
        {"scale": 3 * 4 + 2 * 4 + 2 * 5, "mix": 3 * 2 * (2 * 2 * 2)},
        {POSITION_SHIFT: 2 * 2, UNREACHED: 2},
    ),
    # 7 tokens, 6 positions, 2 layers.
    "gpt2": Case(
        _config(model_type="gpt2", n_embd=4, n_layer=2, n_head=2, n_inner=5, vocab_size=7, n_positions=6,
                layer_norm_epsilon=EPS),
        _tokens(7),
        {"scale": 2 * (4 + 4), "mix": 2 * (8 + 8), "shift": 2 * (4 + 4)},
        {WRITTEN_MEAN: 7 + 6 + 2 * (4 + 1 + 5 + 1), READ_MEAN: 2 * (3 * 4 + 5), NORM_BIAS: 2 * (4 + 4), TABLES: 4 - 1},
    ),
    # The last norm is read by the pooler too.
    "bert": Case(
        _config(model_type="bert", hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=5,
                vocab_size=7, max_position_embeddings=6, type_vocab_size=2, pad_token_id=None, layer_norm_eps=EPS),
        _typed,
        {"mix": 8 + 8, "shift": 4 + 4},
        {
            WRITTEN_MEAN: 7 + 6 + 2 + (4 + 1) + (5 + 1),
            READ_MEAN: 3 * 4 + 5 + 4,
            NORM_BIAS: 4 + 4,
            TABLES: 2 * (4 - 1),
        },
    ),
    # 4 patches of 4 pixels and the class token, which has a position too.
    "vit": Case(
        _config(model_type="vit", hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=5,
                image_size=4, patch_size=2, num_channels=1, layer_norm_eps=EPS),
        _normal(80, 1, 4, 4),
        {"scale": 4 + 4, "mix": 8 + 8, "shift": 4 + 4},
        {
            WRITTEN_MEAN: (4 + 1) + 1 + 5 + (4 + 1) + (5 + 1),
            READ_MEAN: 3 * 4 + 5 + 4,
            NORM_BIAS: 4 + 4,
            TABLES: 2 * (4 - 1),
        },
    ),
    # What is written into the last norm is seen before it, and a shift of the stream by the borders of the convolution.
    "convnext": Case(
        _config(model_type="convnext", hidden_sizes=[4], depths=[1], num_stages=1, patch_size=2, num_channels=1,
                image_size=8),
        _normal(60, 1, 8, 8),
        {"scale": 4 + 4},
        {WRITTEN_MEAN: (4 + 1) + 1, READ_MEAN: 16, NORM_BIAS: 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_claimed_and_what_is_known_to_be_missed_is_all(name, record_property):
    case = CASES[name]
    network = case.network()
    spec = traced_spec(network)
    claimed: Counter[str] = Counter()
    for generator in generators(spec):
        claimed[generator.kind] += generator.dimension
    copies = {copy for group in network.tied for copy in group[1:]}
    names = [tensor for tensor in spec.tensors if tensor not in copies]
    module = network.with_random_weights(torch.Generator().manual_seed(0)).double()
    found = null_space(module, names, *case.inputs())
    directions = claimed_directions(spec, names, module)
    assert claimed == case.claimed
    assert np.linalg.matrix_rank(directions, tol=1e-6) == claimed.total()
    assert found.leaves(directions) < OFF
    record_property("largest singular value of a null space, relative to the smallest other", 1 / found.gap)
    assert found.gap > GAP
    assert found.dimension == claimed.total() + sum(case.missed.values())


def test_stream_of_layer_norms_scales_up_to_eps_only():
    """All that writes into norms may be multiplied by one number where eps is 0; the spec does not claim it."""
    sizes = {"hidden_size": 4, "num_attention_heads": 2, "intermediate_size": 5, "image_size": 4, "patch_size": 2}
    found = []
    for eps in (EPS, 0.0):
        network = _config(model_type="vit", num_hidden_layers=1, num_channels=1, layer_norm_eps=eps, **sizes)()
        spec = traced_spec(network)
        module = network.with_random_weights(torch.Generator().manual_seed(0)).double()
        found.append(null_space(module, list(spec.tensors), *_normal(80, 1, 4, 4)()).dimension)
    assert found[1] == found[0] + 1
