"""Every kind of network through a whole build: its file brings its symmetries, and gives the recorded numbers."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint
from wembed.models import load_dataset, load_module, score
from wembed.models.foreign import described_runnable
from wembed.symmetry import find_spec
from wembed.symmetry.verify import verify as verify_spec
from wembed.zoo import verify
from wembed.zoo.builder import BuildManifest, BuildOptions, build
from wembed.zoo.builder.files import MOST_SCORED
from wembed.zoo.builder.runs import Run, draw_data

IMAGES = [
    {"kind": "mlp", "hidden": [8, 8], "norm": "layer"},
    {"kind": "mlp", "hidden": [8], "activation": "tanh", "norm": "batch"},
    {"kind": "cnn", "hidden": [4, 6], "kernel": [5, 3], "strides": [1, 2], "pooling": "none", "head": "mean"},
    {"kind": "cnn", "hidden": [4, 6], "norm": "batch"},
    {"kind": "resnet", "widths": [4, 8], "blocks": 1},
    {"kind": "mobile", "widths": [4, 8]},
    {"kind": "vit", "patch": 4, "width": 16, "layers": 1, "heads": 2},
    {"kind": "gru", "width": 8},
    {"kind": "lstm", "width": 8},
]
TEXTS = [
    *({"kind": "gpt2", "width": 32, "layers": 1, "heads": 2, "tied": tied} for tied in (True, False)),
    *({"kind": "llama", "width": 32, "layers": 1, "heads": 2, "kv_heads": 1, "tied": tied} for tied in (True, False)),
    *({"kind": "t5", "width": 32, "layers": 1, "heads": 2, "tied": tied} for tied in (True, False)),
]
MASKED = [{"kind": "bert", "width": 32, "layers": 1, "heads": 2}]


PAIRS = [
    *itertools.product(["digits"], IMAGES),
    *itertools.product(["documentation"], TEXTS),
    *itertools.product(["documentation-masked"], MASKED),
]


def manifest_of(pairs, runs: int, snapshots: list[int]) -> BuildManifest:
    groups = [{"dataset": dataset, "architecture": architecture, "runs": runs} for dataset, architecture in pairs]
    return BuildManifest.model_validate({"name": "kinds", "training": {"snapshots": snapshots}, "groups": groups})


def build_all(root: Path, pairs, runs: int, snapshots: list[int], jobs: int) -> tuple[Zoo, dict[str, Run]]:
    manifest = manifest_of(pairs, runs, snapshots)
    zoo = Zoo(root / "zoo")
    built = build(zoo, BuildOptions(manifest, 0, jobs))
    assert not verify(zoo)
    return zoo, {member.name: member for entry in built for member in entry.stack.members}


def check_numbers(zoo: Zoo, row: CatalogRow, run: Run) -> None:
    """What the row says is what the file's network reaches, to the last bit."""
    data, module = load_dataset(row.dataset), load_module(open_checkpoint(zoo.path_of(row)))
    seen = draw_data(run, data, 1, 1).subset
    assert len(seen) <= MOST_SCORED
    tested = score(module, data.test_inputs, data.test_labels)
    chosen = score(module, data.validation_inputs, data.validation_labels)
    trained = score(module, data.train_inputs[seen], data.train_labels[seen])
    assert (row.accuracy, row.loss) == (tested.accuracy, tested.loss)
    assert (row.validation_accuracy, row.validation_loss) == (chosen.accuracy, chosen.loss)
    assert (row.train_accuracy, row.train_loss) == (trained.accuracy, trained.loss)


def check_symmetries(zoo: Zoo, row: CatalogRow) -> None:
    checkpoint = open_checkpoint(zoo.path_of(row))
    spec = find_spec(checkpoint)
    assert (spec.hash, spec.tier) == (row.spec, row.tier)
    assert any(not atom.frozen for atom in spec.atoms.values())
    proof = verify_spec(spec, described_runnable(checkpoint), np.random.default_rng(0))
    assert proof.holds, (row.id, proof)


@pytest.mark.parametrize("pairs", [PAIRS[::3], pytest.param(PAIRS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_networks_of_a_kind_are_built_whole(pairs, tmp_path):
    zoo, runs = build_all(tmp_path, pairs, 1, [0, 12], 1)
    rows = zoo.rows()
    assert len(rows) == 2 * len(pairs)
    for row in rows:
        check_numbers(zoo, row, runs[row.run])
    for row in rows[1::2]:
        check_symmetries(zoo, row)
    starts, ends = rows[::2], rows[1::2]
    better = [end.train_loss < start.train_loss for start, end in zip(starts, ends, strict=True)]
    assert np.mean(better) > 0.7
    texts = [row for row in rows if row.dataset.startswith("documentation")]
    assert {row.task for row in texts} == {"language modelling"}


@pytest.mark.slow
def test_a_hundred_checkpoints_of_every_kind_give_the_recorded_numbers(tmp_path):
    zoo, runs = build_all(tmp_path, PAIRS, 25, [0, 2, 5, 10], 2)
    rows = zoo.rows()
    assert len(rows) == 100 * len(PAIRS)
    for row in rows:
        check_numbers(zoo, row, runs[row.run])
