"""Real checkpoints whose kinship is known."""

from itertools import combinations

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory, open_checkpoint
from wembed.kinship import compare, why
from wembed.symmetry import find_spec

RUNS = ("Acrobot-v1_1", "LunarLanderContinuous-v2_1", "MountainCar-v0_1", "MountainCarContinuous-v0_1", "Pendulum-v1_1")
SILERO = (  # in the order of the TorchScript file
    "stft_conv.weight", *(f"conv{number}.{role}" for number in (1, 2, 3, 4) for role in ("weight", "bias")),
    *(f"lstm_cell.{role}" for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    "final_conv.weight", "final_conv.bias",
)  # fmt: skip


def opened(path):
    checkpoint = open_checkpoint(path)
    return checkpoint, find_spec(checkpoint)


def compared(first, second):
    return compare(opened(first), opened(second), (), np.random.default_rng(0))


@pytest.mark.parametrize("member", range(4))
def test_ani_children_are_derived_from_their_parents(real_checkpoints, member):
    folder = real_checkpoints / "ani"
    found = compared(folder / f"ani-1x_{member}.safetensors", folder / f"ani-1ccx_{member}.safetensors")
    assert (found.verdict, found.method) == ("derived", "order")
    assert found.p_value < 1e-20


def test_two_of_four_ani_layers_were_kept(real_checkpoints):
    pair = [opened(real_checkpoints / "ani" / f"{name}_0.safetensors") for name in ("ani-1ccx", "ani-1x")]
    layers = why(*pair, np.random.default_rng(0))
    assert len(layers) == 16
    for layer in layers:
        number = layer.layer.split(".")[1]
        assert layer.identical == (number in "04")
        assert (layer.similarity == 1.0) == layer.identical
        assert layer.identical or layer.change > 0.3


def test_ani_members_are_unrelated(real_checkpoints):
    paths = [real_checkpoints / "ani" / f"ani-1x_{member}.safetensors" for member in range(4)]
    assert all(compared(*pair).verdict == "unrelated" for pair in combinations(paths[:3], 2))


def test_proteinmpnn_seeds_are_unrelated(real_checkpoints):
    folder = real_checkpoints / "proteinmpnn"
    found = compared(folder / "vanilla_v_48_002.pt", folder / "soluble_v_48_002.pt")
    assert (found.verdict, found.method) == ("unrelated", "order of unproven neurons")
    assert found.p_value > 0.05


@pytest.mark.parametrize("pair", [("pnet", "rnet"), ("rnet", "onet")])
def test_mtcnn_networks_are_unrelated(real_checkpoints, pair):
    assert compared(*(real_checkpoints / "mtcnn" / f"{name}.pt" for name in pair)).verdict == "unrelated"


@pytest.mark.parametrize("run", RUNS)
def test_the_best_model_of_a_run_is_derived_from_it(real_checkpoints, run):
    folder = real_checkpoints / "rl" / "ars" / run
    found = compared(folder / "best_model.policy.pth", folder / f"{run.removesuffix('_1')}.policy.pth")
    assert (found.verdict, found.method) == ("derived", "order")


def test_a_linear_policy_cannot_be_told_from_others(real_checkpoints):
    folder = real_checkpoints / "rl" / "ars" / "CartPole-v1_1"
    found = compared(folder / "best_model.policy.pth", folder / "CartPole-v1.policy.pth")
    assert (found.verdict, found.p_value, found.method) == ("unrelated", None, "none")


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_silero_siblings_are_derived(real_checkpoints):
    state = torch.jit.load(real_checkpoints / "silero" / "silero_vad.jit").state_dict()
    first = opened(real_checkpoints / "silero" / "silero_vad_16k.safetensors")
    own = [value.numpy() for name, value in state.items() if name.startswith("_model.")]
    sibling = in_memory(dict(zip(SILERO, own, strict=True)))
    found = compare(first, (sibling, find_spec(sibling)), (), np.random.default_rng(0))
    assert (found.verdict, found.method) == ("derived", "order of unproven neurons")
    assert [layer.layer for layer in found.layers if layer.identical] == ["stft_conv"]


def test_policies_of_other_runs_are_unrelated(real_checkpoints, record_property):
    found = {path: opened(path) for path in sorted((real_checkpoints / "rl").rglob("*-v?.policy.pth"))}
    p_values = []
    for (first, one), (second, other) in combinations(found.items(), 2):
        if first.parent.name == second.parent.name:
            verdict = compare(one, other, (), np.random.default_rng(0))
            p_values += [verdict.p_value or 1.0]
    record_property("policies of other runs: share with p below .001", float(np.mean(np.array(p_values) < 1e-3)))
    assert len(p_values) > 50
    assert min(p_values) > 1e-3
