"""What merging does not know how to do is refused in a line."""

import numpy as np
import pytest
from networks import InMemory
from small_networks import NETWORKS

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.errors import CheckpointRefusedError
from wembed.merging.aligned import common_spec
from wembed.merging.embedding.seen import Seen
from wembed.merging.gauge import scale_action
from wembed.merging.tensors import acted, tensors_of


def test_experts_in_slices_are_refused(tmp_path):
    net = NETWORKS["experts"](0)
    tensors = {name: ("F32", encode(values, "F32")) for name, values in net.arrays.items()}
    write_safetensors(tmp_path / "net.safetensors", tensors, {})
    item = (open_checkpoint(tmp_path / "net.safetensors"), net.spec)
    with pytest.raises(CheckpointRefusedError, match="gate_up is kept in slices, one for each expert"):
        common_spec([item, item])


def test_fused_weights_are_refused_by_embedding():
    net = NETWORKS["fused"](0)
    with pytest.raises(CheckpointRefusedError, match="it has fused weights"):
        Seen.of([InMemory(net.arrays)], net.spec)


def test_repeated_key_heads_are_refused_by_embedding():
    net = NETWORKS["attention"](0)
    with pytest.raises(CheckpointRefusedError, match="is no matrix or convolution with its targets first"):
        Seen.of([InMemory(net.arrays)], net.spec)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"experts"}))
def test_common_scales_leave_the_function_as_it_is(name):
    net = NETWORKS[name](3)
    checkpoint = InMemory(net.arrays)
    moved = acted(scale_action(checkpoint, net.spec), net.spec, tensors_of(checkpoint, net.spec))
    np.testing.assert_allclose(net.forward(dict(moved)), net.forward(net.arrays), rtol=1e-9, atol=1e-9)
