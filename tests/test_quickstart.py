"""The quick start's checkpoints: what their table says is what they do."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from wembed.checkpoint import open_checkpoint
from wembed.symmetry import find_spec, permute
from wembed.zoo.quickstart import accuracy, build_module, load_digits

FOLDER = Path(__file__).parent.parent / "zoo_manifests" / "quickstart"
ROWS = list(csv.DictReader((FOLDER / "rows.csv").read_text(encoding="utf-8").splitlines()))


def module_from(path: Path, architecture: str) -> torch.nn.Sequential:
    module = build_module(architecture)
    module.load_state_dict(load_file(path), strict=False)
    return module.eval()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_recorded_accuracy_is_what_the_network_reaches(row):
    module = module_from(FOLDER / row["path"], row["architecture"])
    assert round(accuracy(module, load_digits()), 4) == float(row["accuracy"])


@pytest.mark.parametrize("row", ROWS[::5], ids=lambda row: row["path"])
def test_permuted_and_rescaled_copy_computes_the_same(row, tmp_path):
    checkpoint = open_checkpoint(FOLDER / row["path"])
    copy = tmp_path / "copy.safetensors"
    permute(checkpoint, find_spec(checkpoint), copy, np.random.default_rng(1), rescale=True)
    inputs = torch.rand(32, 64, dtype=torch.float64)
    if row["architecture"].startswith("cnn"):
        inputs = inputs.view(32, 1, 8, 8)
    before = module_from(FOLDER / row["path"], row["architecture"]).double()(inputs)
    after = module_from(copy, row["architecture"]).double()(inputs)
    assert torch.linalg.norm(after - before) < 1e-5 * torch.linalg.norm(before)


def test_the_quick_start_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000
