"""However large a tensor is, blocks of it are all that lies in memory."""

import tracemalloc

import numpy as np
import pytest
from merge_files import write_merged
from safetensors.numpy import save_file

from wembed.checkpoint import open_checkpoint
from wembed.merging.methods import METHODS, NEED_BASE, Combination
from wembed.merging.streamed import Source

ELEMENTS = 1_500_000
MOST = 4.5e6  # bytes, less than one tensor; a block has 0.26 MB for each array


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    opened = []
    for number in range(3):
        path = folder / f"{number}.safetensors"
        save_file({"w": rng.standard_normal((ELEMENTS // 100, 100), dtype=np.float32)}, path)
        opened.append(Source(open_checkpoint(path)))
    return opened


@pytest.mark.parametrize("method", METHODS)
def test_no_tensor_lies_in_memory_whole(sources, tmp_path, method):
    base = sources[0] if method in NEED_BASE else None
    tracemalloc.start()
    try:
        write_merged(sources[1:], base, Combination(method), tmp_path / "out.safetensors")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST
    assert MOST < 4 * ELEMENTS
