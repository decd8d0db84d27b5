"""Real fine-tunes of real bases: ANI-1ccx was retrained from ANI-1x, of which two layers were frozen."""

import numpy as np
import pytest
from merge_files import write_merged

from wembed.checkpoint import open_checkpoint
from wembed.merging.methods import Combination
from wembed.merging.streamed import Source


@pytest.fixture
def base_and_tuned(real_checkpoints):
    names = ("ani-1x_0.safetensors", "ani-1ccx_0.safetensors")
    return [Source(open_checkpoint(real_checkpoints / "ani" / name)) for name in names]


def test_base_and_its_task_vector_are_the_fine_tune(base_and_tuned, tmp_path):
    base, tuned = base_and_tuned
    write_merged([tuned], base, Combination("task"), tmp_path / "out.safetensors")
    found = open_checkpoint(tmp_path / "out.safetensors")
    for name in found.tensors:
        assert np.allclose(found.read(name), tuned.checkpoint.read(name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["ties", "dare", "stock"])
def test_frozen_layers_stay_bit_for_bit(base_and_tuned, tmp_path, method):
    base, tuned = base_and_tuned
    write_merged([tuned, tuned], base, Combination(method), tmp_path / "out.safetensors")
    found = open_checkpoint(tmp_path / "out.safetensors")
    stored = {name: [s.checkpoint.read(name) for s in base_and_tuned] for name in found.tensors}
    frozen = [name for name, (one, other) in stored.items() if np.array_equal(one, other)]
    assert 0 < len(frozen) < len(stored)
    assert all(np.array_equal(found.read(name), stored[name][0]) for name in frozen)
