"""A made-up evaluation as large as one wants: models in clusters, of runs, with parents, neighbours and layers."""

import math

import numpy as np

from wembed.evaluate.results import (
    Calibration,
    Curve,
    Evaluation,
    Layer,
    MapPoint,
    Neighbour,
    RecallCurve,
    Result,
    TrainingCurve,
)

ENCODERS = ("gnn", "fingerprint", "stats", "mlp", "pca-mlp", "cosine")
DATASETS = ("digits", "wine", "breast_cancer")
DERIVATIONS = ("continued", "pruned", "int8", "permuted")
ARCHITECTURES = (
    *(f"mlp-{activation}-{sizes}" for activation in ("relu", "tanh", "silu") for sizes in ("16", "32x32", "64x64")),
    *(f"cnn-{activation}-8x16" for activation in ("relu", "gelu")),
    *("resnet-relu-b1-4x8", "vit-p2-l1-h2-e2-16", "lstm-l1-16"),
)
_RUN = 8  # models of a run and its children: three snapshots, then children of the last


def make_points(count: int, neighbours: int = 10, layers: int = 20) -> list[MapPoint]:
    generator, weights = np.random.default_rng(0), np.random.default_rng(1)
    centres = generator.normal(0, 30, (len(ARCHITECTURES), 2))
    ids = [_id(place) for place in range(count)]
    points = []
    for place, name in enumerate(ids):
        run, member = divmod(place, _RUN)
        kind = run % len(ARCHITECTURES)
        x, y = centres[kind] + np.random.default_rng([run, 1]).normal(0, 6, 2) + generator.normal(0, 0.8, 2)
        last = run * _RUN + 2
        near = [(run * _RUN + (member + step) % _RUN) if step < _RUN else (place + step * 8) for step in range(1, 40)]
        near = [other for other in dict.fromkeys(near) if other < count and other != place][:neighbours]
        points.append(
            MapPoint(
                id=name, x=float(x), y=float(y), architecture=ARCHITECTURES[kind], dataset=DATASETS[run % 3],
                accuracy=float(generator.uniform(0.2, 0.98)) if place % 97 else None, run=f"run-{run:05d}",
                family=ids[run * _RUN], split=("train", "train", "test", "validation")[run % 4],
                params=1000 + 37 * kind, step=(0, 20, 60)[member] if member < 3 else None,
                parent=ids[last] if member > 2 else "",
                derivation=DERIVATIONS[member % 4] if member > 2 else "",
                neighbours=tuple(Neighbour(ids[other], 0.9999 - 0.013 * rank) for rank, other in enumerate(near)),
                layers=tuple(_layer(number, kind, weights) for number in range(layers)),
            )
        )  # fmt: skip
    return points


def _id(place: int) -> str:
    run, member = divmod(place, _RUN)
    return f"{DATASETS[run % 3]}-{ARCHITECTURES[run % len(ARCHITECTURES)]}-{run:05d}-{member}"


def _layer(number: int, kind: int, generator: np.random.Generator) -> Layer:
    shape = (16 + kind, 64) if number % 2 == 0 else (16 + kind,)
    role = ("weight", "bias")[number % 2]
    mean, deviation = generator.normal(0, 0.05), generator.uniform(0.01, 0.4)
    return Layer(f"blocks.{number // 2}.{role}", shape, float(mean), float(deviation))


def make_rows() -> list[Result]:
    rows = []
    for task, metric in (
        ("prediction", "tau/tau_max"), ("prediction", "r2"), ("retrieval-snapshot", "recall@1"),
        ("retrieval-noised", "recall@1"), ("retrieval-noised", "mrr"), ("zero-shot", "tau/tau_max"),
    ):  # fmt: skip
        split = "zero-shot" if task == "zero-shot" else "test"
        target = "accuracy" if task in ("prediction", "zero-shot") else ""
        for place, encoder in enumerate(ENCODERS):
            if encoder in ("mlp", "cosine") and task.startswith("retrieval"):
                continue
            value = 0.93 - 0.07 * place - (0.3 if task == "zero-shot" else 0.0)
            rows.append(
                Result(
                    task,
                    encoder,
                    metric,
                    value,
                    310,
                    split,
                    0.02,
                    0,
                    low=value - 0.03,
                    high=value + 0.02,
                    target=target,
                )
            )
    rows.append(Result("prediction", "gnn (shuffled labels)", "tau/tau_max", -0.013, 310, "test", 0.04))
    rows.append(Result("merging", "aligned", "midpoint_accuracy", None, 0, "test"))
    return rows


def make_curves() -> tuple[Curve, ...]:
    t = tuple(float(place) for place in np.linspace(0, 1, 11))
    hill = [4 * place * (1 - place) for place in t]
    return tuple(
        Curve(
            f"a{pair}", f"b{pair}", label, t,
            {"naive": tuple(0.95 - 0.5 * h for h in hill), "aligned": tuple(0.95 - 0.04 * h for h in hill)},
            {"naive": tuple(0.2 + h for h in hill), "aligned": tuple(0.2 + 0.1 * h for h in hill)},
        )
        for label in ("digits mlp-relu-32x32", "wine mlp-relu-16")
        for pair in range(3)
    )  # fmt: skip


def make_evaluation(points: list[MapPoint]) -> Evaluation:
    depths = (1, 2, 3, 5, 10, 20, 50)
    recall = [
        RecallCurve(task, encoder, "test", depths, tuple(1 - (0.1 + 0.1 * place) / math.sqrt(k) for k in depths))
        for task in ("retrieval-snapshot", "retrieval-noised")
        for place, encoder in enumerate(ENCODERS)
    ]
    levels = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    calibration = [
        Calibration(encoder, split, levels, tuple(max(0.0, level - gap) for level in levels))
        for split, gap in (("test", 0.01), ("zero-shot", 0.2))
        for encoder in ("gnn", "statistics")
    ]
    epochs = tuple(range(1, 41))
    training = TrainingCurve(
        "gnn", epochs, tuple(4.2 * math.exp(-e / 9) + 0.6 for e in epochs),
        tuple(0.9 - 0.7 * math.exp(-e / 7) for e in epochs), "recall@1", 31,
    )  # fmt: skip
    facts = {
        "checkpoints": len(points), "runs": len(points) // _RUN, "seed": 0, "main encoder": "gnn",
        "runs by split": {"train": 125, "validation": 62, "test": 63}, "held-out architectures": "none",
    }  # fmt: skip
    return Evaluation(
        make_rows(), curves=list(make_curves()), map=points, facts=facts, recall=recall, calibration=calibration,
        training=[training],
    )  # fmt: skip
