"""What each part of the gnn is worth: one change at a time, on runs and on an architecture that it never saw.

A zoo of digit classifiers is built once. Every variant is trained on the same runs for the same number of epochs; the
epoch is chosen on validation runs. Accuracies are read off by the encoder's own head (tau over the most that ties let
it be), a run's last snapshot is looked for with the one before it, shuffled and rescaled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import wembed.encoder.batches as batches
import wembed.encoder.sweeps as sweeps
import wembed.training.steps as steps
from wembed.catalog import CatalogRow, Split, Zoo, assign_splits
from wembed.encoder.gnn import Gnn, group_alike
from wembed.evaluate.retrieval.queries import disguised
from wembed.graph import build_graph
from wembed.metrics import kendall_tau, tau_max
from wembed.training import Data, TrainOptions, train
from wembed.zoo import open_items
from wembed.zoo.builder import BuildManifest, BuildOptions, build

pytestmark = pytest.mark.slow

EPOCHS = 8
SEEDS = (0,)
HELD_OUT = "cnn-gelu-*"
MANIFEST = {
    "name": "ablation",
    "seed": 12,
    "training": {"batch_size": 32, "snapshots": [80, 300]},
    "hyperparameters": {
        "learning_rate": [1e-4, 3e-2],
        "weight_decay": [1e-5, 1e-1],
        "init_scale": [0.5, 2.0],
        "train_fraction": [0.1, 1.0],
        "label_noise": [0.0, 0.5],
    },
    "groups": [
        {"dataset": "digits", "grid": {"kind": "mlp", "hidden": [[32, 32], [16]]}, "runs": 40},
        {"dataset": "digits", "architecture": {"kind": "mlp", "hidden": [32, 32], "activation": "tanh"}, "runs": 40},
        {"dataset": "digits", "architecture": {"kind": "mlp", "hidden": [24, 24, 24], "norm": "layer"}, "runs": 30},
        {"dataset": "digits", "grid": {"kind": "cnn", "hidden": [[8, 16]], "activation": ["relu", "gelu"]}, "runs": 30},
        {"dataset": "digits", "architecture": {"kind": "cnn", "hidden": [8, 8], "norm": "batch"}, "runs": 30},
    ],
}


@dataclass(frozen=True)
class Variant:
    """One change.

    Args:
        name: of the change.
        options: of the training, where they differ.
        patch: what replaces a part of the code.
    """

    name: str
    options: dict[str, object] = field(default_factory=dict)
    patch: Callable[[pytest.MonkeyPatch], None] = lambda patch: None


def one_function(patch: pytest.MonkeyPatch) -> None:
    """Messages through |w| and w alone."""
    whole = sweeps._Carrier.of

    def of(link, piece):
        carrier = whole(link, piece)
        return sweeps._Carrier(carrier.targets, carrier.sources, carrier.even[:1], carrier.odd[:1])

    patch.setattr(sweeps, "_FUNCTIONS", 1)
    patch.setattr(sweeps._Carrier, "of", of)


def shared_steps(patch: pytest.MonkeyPatch) -> None:
    """All sweeps with the weights of the first."""
    whole = sweeps.Sweeps.__init__

    def init(self, width, count):
        whole(self, width, 1)
        self.forwards = nn.ModuleList([self.forwards[0]] * count)
        self.backwards = nn.ModuleList([self.backwards[0]] * count)

    patch.setattr(sweeps.Sweeps, "__init__", init)


def without_quantiles(patch: pytest.MonkeyPatch) -> None:
    """No features of blocks."""
    whole = batches.batched

    def batched(graphs):
        batch = whole(graphs)
        return replace(batch, blocks=torch.zeros_like(batch.blocks))

    patch.setattr(Gnn, "batch", staticmethod(batched))


def mean_readout(patch: pytest.MonkeyPatch) -> None:
    """No attention between groups and blocks."""
    patch.setattr(nn.TransformerEncoderLayer, "forward", lambda self, tokens: tokens)


def without_parity(patch: pytest.MonkeyPatch) -> None:
    """Open signs taken for fixed ones."""
    patch.setattr(sweeps, "_plain", lambda batch, name: 1.0)


def squared_loss(patch: pytest.MonkeyPatch) -> None:
    """Squared errors of accuracies in place of their divergence."""

    def squared(logits: Tensor, accuracy: Tensor) -> Tensor:
        known = ~accuracy.isnan()
        return (logits.sigmoid() - accuracy)[known].square().mean() if known.any() else logits.sum() * 0.0

    patch.setattr(steps, "accuracy_divergence", squared)


VARIANTS = (
    Variant("as it is"),
    Variant("one function of a weight, not two", patch=one_function),
    Variant("one sweep, not two", {"message_passing_steps": 1}),
    Variant("three sweeps", {"message_passing_steps": 3}),
    Variant("one set of weights for all sweeps", patch=shared_steps),
    Variant("no probes", {"probes": 0}),
    Variant("32 probes, not 128", {"probes": 32}),
    Variant("no quantiles of blocks", patch=without_quantiles),
    Variant("mean, not attention", patch=mean_readout),
    Variant("signs taken as given", patch=without_parity),
    Variant("towards accuracies alone", {"objective": "accuracy"}),
    Variant("towards kinship alone", {"objective": "kinship"}),
    Variant("squared loss", patch=squared_loss),
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    zoo = Zoo(tmp_path_factory.mktemp("ablation") / "zoo")
    build(zoo, BuildOptions(BuildManifest.model_validate(MANIFEST), seed=12, jobs=1))
    return zoo


def trained(zoo: Zoo, splits: dict[str, Split], variant: Variant, seed: int, folder: Path) -> Gnn:
    sides = [tuple(row for row in zoo.rows() if splits[row.id] == side) for side in ("train", "validation")]
    options = TrainOptions(num_epochs=EPOCHS, patience=EPOCHS, views=2, seed=seed, **variant.options)
    encoder = train(Data(*sides), lambda rows: open_items(zoo, rows), options, folder).encoder
    assert isinstance(encoder, Gnn)
    return encoder


def accuracies(encoder: Gnn, zoo: Zoo, rows: list[CatalogRow]) -> np.ndarray:
    """What the encoder's head reads off, [N]."""
    graphs = [build_graph(*item) for item in open_items(zoo, rows)]
    found = np.zeros(len(rows))
    with torch.inference_mode():
        for indices in group_alike(graphs):
            found[indices] = encoder.module.accuracy_logits(encoder.batch([graphs[index] for index in indices])).numpy()
    return found


def tau(encoder: Gnn, zoo: Zoo, rows: list[CatalogRow]) -> float:
    true = np.array([row.accuracy for row in rows])
    return (kendall_tau(true, accuracies(encoder, zoo, rows)) or 0.0) / tau_max(true)


def recall(encoder: Gnn, zoo: Zoo, rows: list[CatalogRow]) -> float:
    """Recall@1 of a run's last snapshot among those of all runs."""
    last = max(row.step for row in zoo.rows())
    gallery = [row for row in zoo.rows() if row.step == last]
    queries = [row for row in rows if row.step not in (0, last)]
    generator = np.random.default_rng(0)
    asked = encoder.embed([disguised(item, generator) for item in open_items(zoo, queries)])
    nearest = (asked @ encoder.embed(open_items(zoo, gallery)).T).argmax(1)
    return float(np.mean([gallery[found].run == query.run for found, query in zip(nearest, queries, strict=True)]))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_ablation(zoo, variant, tmp_path, record_property, monkeypatch):
    variant.patch(monkeypatch)
    measured: dict[str, list[float]] = {"tau of runs": [], "recall of runs": [], f"tau of {HELD_OUT}": []}
    for seed in SEEDS:
        rows = zoo.rows()
        splits = assign_splits(rows, seed)
        encoder = trained(zoo, splits, variant, seed, tmp_path / f"runs{seed}")
        test = [row for row in rows if splits[row.id] == "test"]
        measured["tau of runs"].append(tau(encoder, zoo, test))
        measured["recall of runs"].append(recall(encoder, zoo, test))
        splits = assign_splits(rows, seed, HELD_OUT)
        encoder = trained(zoo, splits, variant, seed, tmp_path / f"held{seed}")
        measured[f"tau of {HELD_OUT}"].append(tau(encoder, zoo, [row for row in rows if splits[row.id] == "test"]))
    for name, values in measured.items():
        record_property(f"{variant.name}: {name}", float(np.mean(values)))
        record_property(f"{variant.name}: {name}, spread", float(np.ptp(values)))
    assert all(np.isfinite(values).all() for values in measured.values())
