"""Files of random numbers in the shape of a small decoder, as the safetensors library writes them."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

SHAPES = {
    "model.embed_tokens.weight": (300, 256),
    "model.layers.0.mlp.up_proj.weight": (320, 256),
    "model.layers.0.norm.weight": (256,),
    "model.scale": (),
    "lm_head.weight": (300, 256),
}
STEPS = "steps"  # of whole numbers
DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "F64": torch.float64}


@functools.cache
def exact(number: int) -> dict[str, torch.Tensor]:
    base, own = np.random.default_rng(0), np.random.default_rng(number + 1)
    tensors = {}
    for name, shape in SHAPES.items():
        values = base.standard_normal(shape) * 0.05
        values += own.standard_normal(shape) * 0.01 if number else 0.0
        tensors[name] = torch.tensor(values)
    return tensors


@dataclass(frozen=True)
class Family:
    """A base and what was fine-tuned from it, written on demand."""

    folder: Path

    def tensors(self, number: int, dtype: str) -> dict[str, torch.Tensor]:
        """Network 0 is the base; the values are those that the dtype can hold."""
        tensors = {name: values.to(DTYPES[dtype]) for name, values in exact(number).items()}
        return tensors | {STEPS: torch.tensor([1000 + number])}

    def write(self, number: int, dtype: str = "F32", changed: "dict[str, torch.Tensor] | None" = None) -> Path:
        """One file."""
        path = self.folder / f"{number}-{dtype}.safetensors"
        tensors = {**self.tensors(number, dtype), **(changed or {})}
        save_file(tensors, path, {"format": "pt"})
        return path

    def write_shards(self, number: int, dtype: str = "F32") -> Path:
        """A folder with three files and an index."""
        folder = self.folder / f"{number}-{dtype}"
        folder.mkdir()
        tensors = self.tensors(number, dtype)
        files = {name: f"model-{place % 3 + 1:05d}-of-00003.safetensors" for place, name in enumerate(tensors)}
        for file in sorted(set(files.values())):
            save_file({name: tensors[name] for name in tensors if files[name] == file}, folder / file, {"format": "pt"})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
        return folder


@pytest.fixture
def family(tmp_path) -> Family:
    (tmp_path / "inputs").mkdir()
    return Family(tmp_path / "inputs")
