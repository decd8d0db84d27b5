"""One rule says what is the same network: whatever its symmetry group holds, and rounding; nothing else."""

import numpy as np
import pytest
from small_networks import NETWORKS

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint, write_safetensors
from wembed.kinship import Network, are_same, compare
from wembed.symmetry import apply_action, random_continuous_action


def stored(net) -> dict[str, np.ndarray]:
    return {name: values.astype(np.float32) for name, values in net.arrays.items()}


def turned(net) -> Checkpoint:
    """A copy with neurons shuffled and rescaled, heads mixed by matrices and rotary planes turned."""
    action, arrays = random_continuous_action(net.spec, np.random.default_rng(1)), stored(net)
    moved = dict(apply_action(action, net.spec, lambda name: arrays[name].astype(np.float64)))
    return in_memory(arrays | {name: values.astype(np.float32) for name, values in moved.items()}, {})


def noisy(net, size: float) -> Checkpoint:
    generator = np.random.default_rng(2)
    arrays = stored(net)
    noise = {name: size * values.std() * generator.normal(size=values.shape) for name, values in arrays.items()}
    return in_memory({name: (values + noise[name]).astype(np.float32) for name, values in arrays.items()}, {})


@pytest.mark.parametrize("name", NETWORKS)
def test_what_the_whole_symmetry_group_moves_is_the_same(name):
    net = NETWORKS[name](61)
    first = in_memory(stored(net), {})
    assert are_same(Network((first, net.spec)), Network((turned(net), net.spec)))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_noise_moves_is_not(name):
    net = NETWORKS[name](61)
    first = in_memory(stored(net), {})
    assert not are_same(Network((first, net.spec)), Network((noisy(net, 1e-3), net.spec)))


@pytest.mark.parametrize("name", ["attention", "decoder"])
def test_compare_finds_the_same_though_heads_are_mixed(name):
    net = NETWORKS[name](61)
    first = in_memory(stored(net), {})
    found = compare((first, net.spec), (turned(net), net.spec), (), np.random.default_rng(0))
    assert (found.verdict, found.method) == ("same", "equal")
    assert all(layer.identical for layer in found.layers)


@pytest.mark.parametrize(("dtype", "shape", "is_weight"), [("I8", (4, 3), True), ("I64", (), False)])
def test_weights_of_unknown_scales_count_and_counters_do_not(tmp_path, dtype, shape, is_weight):
    net, items = NETWORKS["attention"](61), []
    for value in (1, 2):
        path, beside = tmp_path / f"{value}.safetensors", np.full(shape, value, f"i{int(dtype[1:]) // 8}")
        write_safetensors(
            path, {name: ("F32", values) for name, values in stored(net).items()} | {"x": (dtype, beside)}, {}
        )
        items.append((open_checkpoint(path), net.spec))
    assert are_same(*map(Network, items)) != is_weight


def test_a_tensor_beside_the_spec_counts():
    net = NETWORKS["attention"](61)
    first, second = (in_memory(stored(net) | {"beside": np.full(3, value, np.float32)}, {}) for value in (1, 2))
    assert not are_same(Network((first, net.spec)), Network((second, net.spec)))
