"""Plans and merges of checkpoints that others published."""

from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError
from wembed.merging import Plan, Recipe, RecipeModel, plan, run
from wembed.symmetry import find_spec


def opened(*paths: Path) -> list[Item]:
    checkpoints = [open_checkpoint(path) for path in paths]
    return [(checkpoint, find_spec(checkpoint)) for checkpoint in checkpoints]


def planned(*paths: Path) -> Plan:
    models = tuple(RecipeModel(model=path.name) for path in paths)
    return plan(Recipe(models=models), opened(*paths))


def test_members_of_an_ensemble_can_be_merged(real_checkpoints):
    found = planned(*sorted((real_checkpoints / "ani").glob("ani-1ccx_*")))
    found.check()
    assert {tensor.status for tensor in found.tensors} == {"merged"}
    assert found.groups == 12


def test_a_deeper_network_is_refused(real_checkpoints):
    folder = real_checkpoints / "resnet_cifar10"
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(folder / "resnet20-12fca82f.th", folder / "resnet32-d509ac18.th").check()
    assert "tensor 'layer1.3.conv1.weight' is not in " in refused.value.message
    assert refused.value.message.endswith("more")


def test_critics_with_other_heads_are_refused(real_checkpoints):
    paths = [real_checkpoints / "rl" / name / "Pendulum-v1_1" / "Pendulum-v1.policy.pth" for name in ("sac", "tqc")]
    with pytest.raises(CheckpointRefusedError, match=r"tensor 'critic\.qf0\.4\.weight' is \[1, 64\] and \[25, 64\]"):
        planned(*paths).check()


def test_half_a_task_vector_leads_to_the_middle(real_checkpoints, tmp_path):
    folder = real_checkpoints / "ani"
    items = opened(folder / "ani-1x_0.safetensors", folder / "ani-1ccx_0.safetensors")
    recipe = Recipe(method="task", base="1x", models=(RecipeModel(model="1ccx"),), scale=0.5)
    run(recipe, items, tmp_path / "out.safetensors")
    start, end, merged = items[0][0], items[1][0], open_checkpoint(tmp_path / "out.safetensors")
    for name in start.tensors:
        middle = (start.read(name) + end.read(name)) / 2
        np.testing.assert_allclose(merged.read(name), middle, rtol=1e-4, atol=1e-6)
