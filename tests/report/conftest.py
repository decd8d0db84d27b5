"""A made-up evaluation for tests of form: 14 architectures, encoders that do not apply everywhere, long names."""

import numpy as np
import pytest

from wembed.evaluate.results import Curve, Evaluation, MapPoint, Predicted, Result

ARCHITECTURES = (
    *(f"mlp-relu-{sizes}" for sizes in ("32x32", "16", "64", "128x128", "32x32x32x32", "64x32x16")),
    *(f"mlp-tanh-{sizes}" for sizes in ("32x32", "64x64")),
    *(f"mlp-leaky_relu-bn-{sizes}" for sizes in ("32x32", "48x48x48x48")),
    *(f"cnn-relu-{sizes}" for sizes in ("8x16", "16x16x16")),
    *(f"cnn-gelu-bn-{sizes}" for sizes in ("8x16", "16x16x16")),
)
EVERYWHERE = ("gnn", "fingerprint", "stats")
ONE_SHAPE = ("mlp", "pca-mlp", "cosine")
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
            points.append(MapPoint(f"{number}-{place}", x, y, architecture, dataset, float(generator.uniform(0.1, 1))))
    return points


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    generator = np.random.default_rng(0)
    rows = [*retrieval_rows(generator), *prediction_rows("prediction", "test", 0.05)]
    rows += [*prediction_rows("zero-shot", "zero-shot", 1.2), *merging_rows()]
    found = {name: predictions(generator, 310, 0.05) for name in EVERYWHERE}
    unseen = {name: predictions(generator, 80, 0.2) for name in EVERYWHERE}
    facts = {"checkpoints": 1240, "split": {"train": 744, "test": 310}, "seed": 0, "fewest strangers": 23}
    return Evaluation(rows, found, unseen, curves(generator), places(generator), facts)
