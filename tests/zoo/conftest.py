import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import Zoo
from wembed.checkpoint import write_safetensors


@pytest.fixture
def write() -> Callable[..., Path]:
    """Writes a small MLP."""

    def write_mlp(path: Path, seed: int = 0, hidden: int = 6, metadata: dict[str, str] | None = None) -> Path:
        generator = np.random.default_rng(seed)
        sizes = [4, hidden, 5, 3]
        tensors = {}
        for layer, (source, target) in enumerate(itertools.pairwise(sizes)):
            tensors[f"{2 * layer}.weight"] = ("F32", generator.normal(size=(target, source)).astype(np.float32))
            tensors[f"{2 * layer}.bias"] = ("F32", generator.normal(size=target).astype(np.float32))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safetensors(path, tensors, metadata or {})
        return path

    return write_mlp


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    return Zoo.create(tmp_path / "zoo")
