"""What a plan says of time, beside what it takes."""

import time
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.merging import Recipe, RecipeModel, plan, run
from wembed.symmetry import find_spec

_SIDE, _TENSORS = 2048, 6
_FACTOR = 3.0  # within which an estimate is of use


@pytest.mark.slow
@pytest.mark.parametrize("method", ["linear", "slerp", "task", "ties", "dare", "stock"])
def test_a_merge_takes_about_as_long_as_was_said(tmp_path: Path, method, record_property):
    generator, items = np.random.default_rng(0), []
    start = generator.integers(0, 1 << 14, (_SIDE, _SIDE)).astype(np.uint16)
    for name in "cab":
        tensors = {
            f"w{number}": ("BF16", start ^ generator.integers(0, 8, start.shape, np.uint16))
            for number in range(_TENSORS)
        }
        write_safetensors(tmp_path / f"{name}.safetensors", tensors, {})
        checkpoint = open_checkpoint(tmp_path / f"{name}.safetensors")
        items.append((checkpoint, find_spec(checkpoint)))
    has_base = method not in ("linear", "slerp")
    models = (RecipeModel(model="a"), RecipeModel(model="b"))
    recipe = Recipe(method=method, models=models, base="c" if has_base else None, align="none")
    asked = items if has_base else items[1:]
    said, began = plan(recipe, asked).effort.seconds, time.process_time()
    run(recipe, asked, tmp_path / "out.safetensors")
    took = time.process_time() - began
    record_property(f"merge {method}: seconds taken over said", took / said)
    assert said / _FACTOR < took < said * _FACTOR
