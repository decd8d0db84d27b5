"""A made-up evaluation for tests of form: 14 architectures, encoders that do not apply everywhere, long names.

It holds something of all that an evaluation can hold; the numbers mean nothing.
"""

import numpy as np
import pytest

from wembed.evaluate.results import (
    Calibration,
    Curve,
    Evaluation,
    Layer,
    MapPoint,
    Neighbour,
    Predicted,
    RecallCurve,
    Result,
    TrainingCurve,
)
from wembed.experiment.plan import PLANS

ARCHITECTURES = (
    *(f"mlp-relu-{sizes}" for sizes in ("32x32", "16", "64", "128x128", "32x32x32x32", "64x32x16")),
    *(f"mlp-tanh-{sizes}" for sizes in ("32x32", "64x64")),
    *(f"mlp-leaky_relu-bn-{sizes}" for sizes in ("32x32", "48x48x48x48")),
    *(f"cnn-relu-{sizes}" for sizes in ("8x16", "16x16x16")),
    *(f"cnn-gelu-bn-{sizes}" for sizes in ("8x16", "16x16x16")),
)
EVERYWHERE = ("gnn", "fingerprint", "stats")
ONE_SHAPE = ("mlp", "pca-mlp", "cosine")
DEPTHS = (1, 2, 3, 5, 10, 20, 50)
DAMAGES = ("bf16", "int8", "noise 5 %", "noise 20 %", "pruned 10 %", "pruned 30 %", "pruned 50 %")
VARIANTS = tuple(name for name in PLANS["full"].encoders if name.startswith("gnn-"))
SHAPE = "test:digits-mlp-relu-32x32+digits-mlp-tanh-32x32+digits-mlp-leaky_relu-32x32"


def retrieval_rows(generator: np.random.Generator) -> list[Result]:
    rows = []
    for task in ("retrieval-noised", "retrieval-snapshot"):
        for split, n in (("test", 310), (SHAPE, 64)):
            for encoder in (*EVERYWHERE, *ONE_SHAPE):
                first = generator.uniform(0.2, 0.99)
                values = first, (1 + first) / 2, (3 + first) / 4, (1 + 2 * first) / 3
                for metric, value in zip(("recall@1", "recall@5", "recall@10", "mrr"), values, strict=True):
                    applies = split != "test" or encoder in EVERYWHERE
                    error = 0.02 if applies else None
                    rows.append(Result(task, encoder, metric, float(value) if applies else None, n, split, error))
            rows.append(Result(task, "gnn", "recall@1 step 60", 0.9, n // 3, split))
    return rows


def prediction_rows(task: str, split: str, shift: float) -> list[Result]:
    rows = []
    names = (*EVERYWHERE, "hyperparameters", "gnn (shuffled labels)")
    for encoder, tau in zip(names, (0.85, 0.8, 0.78, 0.6, -0.02), strict=True):
        values = {"r2": tau - shift, "mse": 0.01 - tau / 100, "spearman": tau, "tau": tau, "tau/tau_max": tau * 1.01}
        rows += [Result(task, encoder, metric, value, 310, split, 0.03) for metric, value in values.items()]
    rows.append(Result(task, "gnn", "coverage", 0.91, 310, split))
    return rows


def bounded(task: str, encoder: str, metric: str, value: float, split: str, target: str = "") -> Result:
    """A number with an interval, a mean over three seeds."""
    ends = {"low": value - 0.05, "high": value + 0.04}
    return Result(task, encoder, metric, value, 90, split, 0.02, seeds=3, spread=0.01, target=target, **ends)


def lineage_rows() -> list[Result]:
    found = zip((*EVERYWHERE, "chance"), (0.91, 0.85, 0.4, 0.01), strict=True)
    return [bounded("retrieval-lineage", name, "recall@1", value, "test") for name, value in found]


def aligned_rows() -> list[Result]:
    found = zip((*EVERYWHERE, *ONE_SHAPE, "alignment"), (0.9, 0.9, 0.3, 0.2, 0.1, 0.1, 1.0), strict=True)
    return [bounded("retrieval-noised", name, "recall@1", value, f"{SHAPE}/30") for name, value in found]


def paired_rows() -> list[Result]:
    rows = []
    for name, gap in (("fingerprint", 0.02), ("stats", 0.3), ("hyperparameters", -0.2)):
        rows.append(bounded("accuracy", f"gnn-{name}", "tau_difference", gap, "test"))
        if name != "hyperparameters":
            pair = f"gnn-{name}"
            rows.append(bounded("retrieval", pair, "recall@1_difference", gap, "test", "retrieval-snapshot"))
    return rows


def held_out_rows() -> list[Result]:
    parts = [f"held-out architecture:{name}" for name in ARCHITECTURES[:4]]
    parts += ["held-out data set:wine", "held-out width:32"]
    return [
        bounded(
            "prediction",
            f"{name} (head only)" if name == "gnn" and number > 3 else name,
            metric,
            0.9 - 0.1 * place - 0.05 * number,
            part,
        )
        for place, name in enumerate(EVERYWHERE)
        for number, part in enumerate(parts)
        for metric in ("tau/tau_max", "r2")
    ]


def property_rows() -> list[Result]:
    found = zip(("gnn", "stats", "majority"), (0.93, 0.9, 0.41), strict=True)
    return [bounded("classification", name, "accuracy", value, "test", "dataset") for name, value in found]


def damage_rows() -> list[Result]:
    rows = []
    for place, name in enumerate((*EVERYWHERE, "cosine")):
        split = "test" if name in EVERYWHERE else SHAPE
        moved = {"largest_change": 1e-6 if place < 3 else 1.4, "median_change": 1e-7, "nearest_stranger": 0.03}
        rows += [Result("invariance", name, metric, value, 50, split) for metric, value in moved.items()]
        for number, kind in enumerate(DAMAGES):
            rows.append(bounded("robustness", name, f"recall@1 {kind}", 1 - 0.02 * number * (1 + place), split))
            rows.append(Result("robustness", name, f"moved {kind}", 0.01 * 2**number * (1 + place), 60, split))
            rows.append(Result("robustness", name, f"moved_q99 {kind}", 0.03 * 2**number, 60, split))
    return rows


def variant_rows() -> list[Result]:
    rows = []
    for place, name in enumerate(VARIANTS):
        rows.append(bounded("retrieval-snapshot", name, "recall@1", 0.8 - 0.1 * place, "test"))
        rows.append(bounded("prediction", name, "tau/tau_max", 0.7 - 0.1 * place, "test"))
    return rows


def recall_curves() -> list[RecallCurve]:
    found = []
    for task in ("retrieval-noised", "retrieval-snapshot", "retrieval-lineage", "retrieval-dataset"):
        for split in ("test", SHAPE):
            for place, name in enumerate(EVERYWHERE if split == "test" else (*EVERYWHERE, *ONE_SHAPE)):
                values = tuple(1 - (0.1 + 0.1 * place) / depth for depth in DEPTHS)
                found.append(RecallCurve(task, name, split, DEPTHS, values))
    return found


def calibrations() -> list[Calibration]:
    levels = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    shifts = {("gnn", "test"): 0.02, ("stats", "test"): -0.05, ("gnn", "zero-shot"): -0.2}
    return [
        Calibration(name, split, levels, tuple(min(1.0, level + shift) for level in levels))
        for (name, split), shift in shifts.items()
    ]


def trainings() -> list[TrainingCurve]:
    epochs = tuple(range(1, 31))
    return [
        TrainingCurve(name, epochs, tuple(3 / n**0.5 for n in epochs), tuple(validation), metric, 20)
        for name, metric, validation in (
            ("gnn", "validation loss", [3.1 / n**0.5 + 0.01 * n for n in epochs]),
            ("mlp", "validation loss", [3.4 / n**0.5 + 0.02 * n for n in epochs]),
            (VARIANTS[0], "recall@1", [1 - 1 / n for n in epochs]),
        )
    ]


def merging_rows() -> list[Result]:
    values = {"endpoints": 0.95, "naive": 0.52, "aligned": 0.93, "noise": 0.88}
    rows = [Result("merging", name, "midpoint_accuracy", value, 24, "test") for name, value in values.items()]
    rows.append(Result("merging", "aligned", "barrier_removed", 0.92, 24, "test"))
    control = "aligned, as much noise as embedding moves"
    for label, some in (("wine-mlp-relu-16", {}), ("digits-mlp-relu-32x32/8", {"embedding": 0.92, control: 0.91})):
        found = values | some
        rows += [Result("merging", name, "midpoint_accuracy", found[name], 8, f"test:{label}") for name in found]
    return rows


def predictions(generator: np.random.Generator, count: int, spread: float) -> list[Predicted]:
    true = generator.uniform(0.1, 1.0, count)
    guess = np.clip(true + generator.normal(0, spread, count), 0, 1)
    names = ("digits", "wine", "breast_cancer")
    return [
        Predicted(f"c{place}", names[place % 3], float(t), float(v), max(0.0, v - 0.1), min(1.0, v + 0.1))
        for place, (t, v) in enumerate(zip(true, guess, strict=True))
    ]


def curves(generator: np.random.Generator) -> list[Curve]:
    t = np.linspace(0, 1, 11)
    hill = 4 * t * (1 - t)
    made = []
    for label, count in (
        ("digits mlp-relu-32x32", 12),
        ("digits mlp-leaky_relu-bn-48x48x48x48", 5),
        ("wine mlp-relu-16", 7),
    ):
        for pair in range(count):
            depth, top = generator.uniform(0.3, 0.6), generator.uniform(0.9, 0.97)
            accuracy = {"naive": tuple(top - depth * hill), "aligned": tuple(top - 0.05 * depth * hill)}
            loss = {"naive": tuple(0.2 + 2 * depth * hill), "aligned": tuple(0.2 + 0.2 * depth * hill)}
            made.append(Curve(f"a{pair}", f"b{pair}", label, tuple(t), accuracy, loss))
    return made


def places(generator: np.random.Generator) -> list[MapPoint]:
    points = []
    for number, architecture in enumerate(ARCHITECTURES):
        centre = generator.normal(0, 30, 2)
        for place in range(30):
            x, y = centre + generator.normal(0, 5, 2)
            dataset = ("digits", "wine", "breast_cancer")[(number + place % 2) % 3]
            name, run = f"{number}-{place}", f"{number}-{place // 3}"
            points.append(
                MapPoint(
                    name, x, y, architecture, dataset, float(generator.uniform(0.1, 1)), run, f"{number}-{place // 10}",
                    ("train", "test")[place % 2], 1000 + place, 100 * (place % 3), "" if place else f"{number}-29",
                    "" if place else "fine-tune", (Neighbour(f"{number}-1", 0.99),),
                    (Layer("0.weight", (8, 4), 0.1, 1.0),),
                )
            )  # fmt: skip
    return points


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    generator = np.random.default_rng(0)
    rows = [*retrieval_rows(generator), *aligned_rows(), *lineage_rows(), *prediction_rows("prediction", "test", 0.05)]
    rows += [*prediction_rows("zero-shot", "zero-shot", 1.2), *paired_rows(), *held_out_rows(), *property_rows()]
    rows += [*damage_rows(), *variant_rows(), *merging_rows()]
    found = {name: predictions(generator, 310, 0.05) for name in EVERYWHERE}
    unseen = {name: predictions(generator, 80, 0.2) for name in EVERYWHERE}
    facts = {"checkpoints": 1240, "runs by split": {"train": 744, "test": 103, "zero-shot": 26}, "seed": 0}
    return Evaluation(
        rows, found, unseen, curves(generator), places(generator), facts | {"fewest strangers": 23}, recall_curves(),
        calibrations(), trainings(),
    )  # fmt: skip
