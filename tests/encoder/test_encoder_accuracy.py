"""How well accuracies are read off weights: on runs, on an architecture and on widths that no encoder was trained on.

A zoo of some 800 snapshots of digit classifiers is built once. Every seed draws the split, the initial weights and the
batches anew. All learned encoders see the same networks for as many epochs, trained towards accuracies alone; the
epoch is chosen on validation runs. Every encoder's vectors, and the statistics, then go through the one regression of
`wembed evaluate`, fitted and chosen on the same runs, and are ranked on the same test runs. All that is compared is
compared on one draw of runs (paired bootstrap), with tau over the most that ties let it be.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Split, Zoo, assign_splits
from wembed.encoder import Encoder
from wembed.evaluate.embeddings import Statistics, Vectors, embed_items
from wembed.evaluate.material import Material
from wembed.evaluate.prediction.fits import Fitting, fit
from wembed.evaluate.prediction.paired import Difference, paired_difference
from wembed.evaluate.prediction.targets import numeric_truths
from wembed.metrics import kendall_tau, tau_max
from wembed.prediction import learned_part
from wembed.training import Data, TrainOptions, train
from wembed.zoo import open_items, silent
from wembed.zoo.builder import BuildManifest, BuildOptions, build

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
EPOCHS = 30
OURS, STATISTICS = "gnn", "statistics"
ONE = "cnn-relu-8x8"  # the architecture that the flat encoders know
FAMILY = "cnn-*-bn-*"
WIDE, WIDER = 16, 64  # the widest that is trained on, the narrowest that is tested on
WIDTH_LOSS = 0.05  # of tau/tau_max, at most, by not having seen the width

BOTH = ["none", "batch"]
DIGITS = [
    {"architecture": {"kind": "cnn", "hidden": [8, 8]}, "runs": 60},
    {"grid": {"kind": "cnn", "hidden": [[8], [16], [8, 16]], "activation": ["relu", "silu"], "norm": BOTH}, "runs": 8},
    {"grid": {"kind": "mlp", "hidden": [[8], [16]], "activation": ["relu", "silu"]}, "runs": 10},
    {"grid": {"kind": "cnn", "hidden": [[64]], "activation": ["relu", "silu"], "norm": BOTH}, "runs": 20},
]
MANIFEST = {
    "name": "accuracy",
    "seed": 11,
    "training": {"batch_size": 32, "snapshots": [20, 80, 300]},
    "hyperparameters": {
        "learning_rate": [1e-4, 3e-2],
        "weight_decay": [1e-5, 1e-1],
        "init_scale": [0.5, 2.0],
        "train_fraction": [0.1, 1.0],
        "label_noise": [0.0, 0.5],
    },
    "groups": [{"dataset": "digits", **group} for group in DIGITS],
}


@dataclass(frozen=True)
class Ranking:
    """What each encoder predicts of the same test checkpoints.

    Args:
        true: measured accuracies, [N].
        runs: the run of each, [N].
        predicted: encoder -> accuracies, [N].
    """

    true: np.ndarray
    runs: np.ndarray
    predicted: dict[str, np.ndarray]

    def share(self, name: str) -> float:
        """tau/tau_max of an encoder."""
        return (kendall_tau(self.true, self.predicted[name]) or 0.0) / tau_max(self.true)

    def difference(self, first: str, second: str) -> Difference:
        """How much more the first reaches than the second."""
        pair = (self.predicted[first], self.predicted[second])
        found = paired_difference(self.true, *pair, self.runs, np.random.default_rng(0))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    zoo = Zoo(tmp_path_factory.mktemp("accuracy") / "zoo")
    build(zoo, BuildOptions(BuildManifest.model_validate(MANIFEST), seed=11, jobs=1))
    return zoo


def width(row: CatalogRow) -> int:
    return max(int(part) for part in row.architecture.rsplit("-", 1)[-1].split("x"))


def narrow(rows: list[CatalogRow]) -> list[CatalogRow]:
    return [row for row in rows if width(row) <= WIDE]


def learned(zoo: Zoo, model_type: str, splits: dict[str, Split], seed: int, folder: Path) -> Encoder:
    """An encoder trained on the rows that a split gives it; flat ones on their one architecture."""
    rows = [row for row in zoo.rows() if "mlp" not in model_type or row.architecture == ONE]
    train_rows, validation = (tuple(r for r in rows if splits.get(r.id) == side) for side in ("train", "validation"))
    structure = train_rows[0].structure if "mlp" in model_type else ""
    options = TrainOptions(model_type, num_epochs=EPOCHS, patience=EPOCHS, views=2, objective="accuracy", seed=seed)
    return train(Data(train_rows, validation, structure), lambda r: open_items(zoo, r), options, folder).encoder


def ranked(zoo: Zoo, splits: dict[str, Split], encoders: dict[str, Encoder], seed: int) -> Ranking:
    """What encoders, and the statistics, make of the test rows of a split."""
    rows = [row for row in zoo.rows() if row.id in splits]
    material = Material(rows, list(open_items(zoo, rows)), splits, [])
    test, predicted, accuracy = material.side("test"), {}, numeric_truths(rows)[0]
    for name, encoder in {**encoders, STATISTICS: Statistics()}.items():
        vectors = embed_items({name: encoder}, material.items, [row.structure for row in rows], silent)[name]
        read = Vectors(learned_part(encoder, vectors.values), vectors.known)
        how = Fitting((seed,), np.ones(len(rows), dtype=bool))
        predicted[name] = fit(material, read, accuracy, how).values[0, test]
    return Ranking(material.accuracies[test], material.runs[test], predicted)


def drawn_runs(rows: list[CatalogRow], seed: int) -> dict[str, Split]:
    """(a) All that is narrow; runs are held out."""
    plain = assign_splits(rows, seed)
    return {row.id: plain[row.id] for row in narrow(rows)}


def held_out_widths(rows: list[CatalogRow], seed: int) -> dict[str, Split]:
    """(c) Narrow runs are trained on; what is tested are those wide runs that `known_widths` tests, too."""
    plain = assign_splits(rows, seed)
    trained_on = {row.id: plain[row.id] for row in narrow(rows) if plain[row.id] != "test"}
    return trained_on | {row.id: "test" for row in rows if width(row) >= WIDER and plain[row.id] == "test"}


def known_widths(rows: list[CatalogRow], seed: int) -> dict[str, Split]:
    """Wide runs are trained on, and others of the same widths tested."""
    plain = assign_splits(rows, seed)
    return {row.id: plain[row.id] for row in rows if width(row) >= WIDER}


@pytest.fixture(scope="module")
def rankings(zoo, tmp_path_factory) -> dict[int, dict[str, Ranking]]:
    """Seed -> what was held out -> what was found."""
    return {seed: measure(zoo, seed, tmp_path_factory.mktemp("encoders")) for seed in SEEDS}


def measure(zoo: Zoo, seed: int, folder: Path) -> dict[str, Ranking]:
    """All that one seed finds, by what was held out; "one" is the flat encoders' architecture alone."""
    rows = zoo.rows()

    def trained(place: str, splits: dict[str, Split], *model_types: str) -> dict[str, Encoder]:
        return {name: learned(zoo, name, splits, seed, folder / place / name) for name in model_types}

    runs, family = drawn_runs(rows, seed), assign_splits(narrow(rows), seed, FAMILY)
    widths, known = held_out_widths(rows, seed), known_widths(rows, seed)
    one = {row.id: runs[row.id] for row in rows if row.architecture == ONE}
    graphs, flat = trained("runs", runs, OURS, "pna"), trained("runs", runs, "mlp", "pca-mlp")
    return {
        "runs": ranked(zoo, runs, graphs, seed),
        "one": ranked(zoo, one, graphs | flat, seed),
        "family": ranked(zoo, family, trained("family", family, OURS, "pna"), seed),
        "widths": ranked(zoo, widths, trained("widths", widths, OURS, "pna"), seed),
        "known widths": ranked(zoo, known, trained("known", known, OURS), seed),
    }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("place", "other"),
    [
        *[("runs", STATISTICS), ("runs", "pna"), ("one", "mlp"), ("one", "pca-mlp")],
        *[("family", STATISTICS), ("family", "pna"), ("widths", STATISTICS), ("widths", "pna")],
    ],
)
def test_the_gnn_orders_what_is_held_out_better(rankings, seed, place, other, record_property):
    ranking = rankings[seed][place]
    found = ranking.difference(OURS, other)
    for name in (OURS, other):
        record_property(f"tau/tau_max, {place} held out, seed {seed}: {name}", ranking.share(name))
    record_property(f"share of draws in which the gnn is above {other}, {place}, seed {seed}", found.above)
    assert found.value > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_width_that_was_never_seen_costs_little(rankings, seed, record_property):
    unseen, seen = (rankings[seed][place] for place in ("widths", "known widths"))
    assert np.array_equal(unseen.true, seen.true)
    loss = seen.share(OURS) - unseen.share(OURS)
    record_property(f"tau/tau_max that a width never seen costs, seed {seed}", loss)
    assert loss <= WIDTH_LOSS
