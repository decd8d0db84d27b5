"""Checkpoints without a weight matrix have no graph."""

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError
from wembed.graph import build_graph
from wembed.symmetry import find_spec


@pytest.mark.parametrize("shape", [(3,), (0, 4)])
def test_without_a_weight_there_is_nothing_to_embed(tmp_path, shape):
    path = tmp_path / "vector.safetensors"
    values = {"0.weight": ("F32", np.ones(shape, np.float32)), "scale": ("F32", np.ones(2, np.float32))}
    write_safetensors(path, values, {})
    checkpoint = open_checkpoint(path)
    with pytest.raises(CheckpointRefusedError, match=r"vector.safetensors: nothing to embed, it holds no weight"):
        build_graph(checkpoint, find_spec(checkpoint))
