"""What the tests of checkpoints share: a few tensors, and files made of them byte by byte."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import write_safetensors


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "fc2.weight": generator.normal(size=(2, 3)).astype(np.float32),
        "fc1.weight": generator.normal(size=(3, 4)),
        "fc1.bias": generator.normal(size=3).astype(np.float16),
        "steps": np.array(7),
        "mask": np.array([True, False]),
    }


@pytest.fixture
def stored(arrays) -> dict[str, tuple[str, np.ndarray]]:
    dtypes = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "bool": "BOOL"}
    return {name: (dtypes[array.dtype.name], array) for name, array in arrays.items()}


@pytest.fixture
def valid(tmp_path, stored) -> Path:
    path = tmp_path / "valid.safetensors"
    write_safetensors(path, stored, {"format": "pt"})
    return path


@pytest.fixture
def craft(tmp_path) -> Callable[[object, bytes], Path]:
    """Writes a safetensors file with any header, right or wrong."""

    def write(header: object, data: bytes = b"") -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "crafted.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    return write
