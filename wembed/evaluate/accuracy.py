"""Accuracy prediction: the same regression on every encoder's vectors and every baseline's features.

Fitted on training runs, chosen and calibrated on validation runs, measured on test runs and on a sealed data set. A
baseline that knows one shape only is fitted on that shape. Legend: N checkpoints, D features.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed import metrics
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material, config_of
from wembed.evaluate.paired import paired_difference
from wembed.evaluate.results import Predicted, Result
from wembed.prediction import Examples, Predictions, Predictor, fit_predictor

TASKS: Mapping[str, str] = {"test": "prediction", "zero-shot": "zero-shot"}  # split -> task
COMPARED = "accuracy"  # the task of comparing two predictions
METRICS = ("r2", "mse", "mae", "spearman", "tau", "tau_max", "tau/tau_max")
SHUFFLES = 10
SHUFFLED = "(shuffled labels)"
_LEAST = 3  # checkpoints that a correlation is worth computing on
_LEAST_OF_CELL = 5


@dataclass(frozen=True)
class Fitted:
    """A predictor and what it predicts of all checkpoints that it has features of.

    Args:
        predictor: how.
        known: which checkpoints these are, [N].
        predictions: of these, in their order.
    """

    predictor: Predictor
    known: Mask
    predictions: Predictions

    def of(self, mask: Mask) -> Predictions:
        """The predictions of some of them, [N] to [M]."""
        chosen = mask[self.known]
        found = self.predictions
        return Predictions(found.values[chosen], found.low[chosen], found.high[chosen], found.in_domain[chosen])


def fit(material: Material, vectors: Vectors, seed: int) -> Fitted:
    """Fits on the training and validation runs that have features and known accuracies.

    Raises:
        TooFewRunsError: there are too few of them.
    """
    return _fit(material, vectors, material.accuracies, seed)


def prediction_results(
    material: Material, name: str, fitted: Fitted, mask: Mask, split: str, seed: int
) -> Iterator[Result]:
    """The rows of one encoder or baseline on some held-out checkpoints.

    Args:
        material: the zoo.
        name: of the encoder or baseline.
        fitted: its predictor.
        mask: which checkpoints to measure on, [N].
        split: what to call them; what stands before a colon says the task.
        seed: of the resampling that gives errors.
    """
    mask = mask & ~np.isnan(material.accuracies)
    task, count = TASKS[split.split(":")[0]], int(mask.sum())
    if count < _LEAST:
        return
    if not fitted.known[mask].all():
        yield from (Result(task, name, metric, None, count, split) for metric in METRICS)
        return
    found, true = fitted.of(mask), material.accuracies[mask]
    yield from _fit_rows(true, found.values, material.runs[mask], Result(task, name, "", None, count, split), seed)
    within = tau_within_cells(material, mask, found.values)
    yield Result(task, name, "tau within cells", within, count, split)
    held = ((found.low <= true) & (true <= found.high)).astype(np.float64)
    error = metrics.grouped_standard_error(held, material.runs[mask])
    yield Result(task, name, "coverage", float(held.mean()), count, split, error)
    yield Result(task, name, "interval_width", float((found.high - found.low).mean()), count, split)
    yield Result(task, name, "in_domain", float(found.in_domain.mean()), count, split)


def compared_results(
    material: Material, names: tuple[str, str], fits: tuple[Fitted, Fitted], mask: Mask, split: str, seed: int
) -> Iterator[Result]:
    """The rows that say how much better one encoder or baseline orders some held-out checkpoints than another.

    Args:
        material: the zoo.
        names: of both.
        fits: their predictors.
        mask: which checkpoints to measure on, [N].
        split: what to call them.
        seed: of the draws, which are the same for all pairs.
    """
    mask = mask & ~np.isnan(material.accuracies)
    count, name = int(mask.sum()), pair_name(*names)
    if count < _LEAST:
        return
    if not all(fitted.known[mask].all() for fitted in fits):
        yield Result(COMPARED, name, "tau_difference", None, count, split)
        return
    first, second = (fitted.of(mask).values for fitted in fits)
    generator = np.random.default_rng([seed, 7])
    found = paired_difference(material.accuracies[mask], first, second, material.runs[mask], generator)
    for metric, value in found.metrics.items() if found else ():
        error = found.error if found and metric == "tau_difference" else None
        yield Result(COMPARED, name, metric, value, count, split, error)


def pair_name(first: str, second: str) -> str:
    """What two encoders or baselines are called where the second is taken from the first."""
    return f"{first}-{second}"


def shuffled_results(
    material: Material, name: str, vectors: Vectors, mask: Mask, split: str, seed: int
) -> Iterator[Result]:
    """What is left when accuracies are dealt out anew among the checkpoints that are fitted on: a tau near 0."""
    mask = mask & vectors.known & ~np.isnan(material.accuracies)
    generator, true, found = np.random.default_rng([seed, 3]), material.accuracies[mask], []
    if len(true) < _LEAST:
        return
    for _ in range(SHUFFLES):
        values = _fit(material, vectors, _dealt_anew(material, generator), seed).of(mask).values
        found.append((metrics.r2(true, values) or 0.0, metrics.kendall_tau(true, values) or 0.0))
    for place, metric in enumerate(("r2", "tau")):
        series = np.array(found)[:, place]
        error = float(series.std(ddof=1) / np.sqrt(SHUFFLES))
        yield Result("prediction", f"{name} {SHUFFLED}", metric, float(series.mean()), len(true), split, error)


def predicted(material: Material, fitted: Fitted, mask: Mask) -> list[Predicted]:
    """The single predictions behind the numbers."""
    mask = mask & fitted.known & ~np.isnan(material.accuracies)
    found, places = fitted.of(mask), np.flatnonzero(mask)
    return [
        Predicted(
            row.id, row.dataset or "", row.accuracy or 0.0,
            float(found.values[number]), float(found.low[number]), float(found.high[number]),
        )
        for number, row in enumerate(material.rows[place] for place in places)
    ]  # fmt: skip


def tau_within_cells(material: Material, mask: Mask, values: NDArray[np.float64]) -> float | None:
    """The mean tau within checkpoints of one configuration and step, each cell weighted by its size.

    Args:
        material: the zoo.
        mask: which checkpoints, [N].
        values: what is predicted of these, [M].
    """
    cells: dict[object, list[int]] = defaultdict(list)
    rows = [material.rows[place] for place in np.flatnonzero(mask)]
    for number, row in enumerate(rows):
        cells[config_of(row), row.step].append(number)
    true = np.array([row.accuracy for row in rows], dtype=np.float64)
    found = [
        (metrics.kendall_tau(true[cell], values[cell]), len(cell))
        for cell in cells.values()
        if len(cell) >= _LEAST_OF_CELL
    ]
    kept = [(tau, size) for tau, size in found if tau is not None]
    return float(np.average([tau for tau, _ in kept], weights=[size for _, size in kept])) if kept else None


def _fit(material: Material, vectors: Vectors, targets: NDArray[np.float64], seed: int) -> Fitted:
    usable, runs = vectors.known & ~np.isnan(targets), material.runs
    sides = [usable & material.side("train"), usable & material.side("validation")]
    train, validation = (Examples(vectors.values[side], targets[side], runs[side]) for side in sides)
    predictor = fit_predictor(train, validation, seed)
    return Fitted(predictor, vectors.known, predictor.predict(vectors.values[vectors.known]))


def _dealt_anew(material: Material, generator: np.random.Generator) -> NDArray[np.float64]:
    targets = material.accuracies.copy()
    for side in (material.side("train"), material.side("validation")):
        targets[side] = generator.permutation(targets[side])
    return targets


def _fit_rows(
    true: NDArray[np.float64], values: NDArray[np.float64], runs: NDArray[np.str_], like: Result, seed: int
) -> Iterator[Result]:
    most = metrics.tau_max(true)
    tau, tau_error = None, None
    for metric, measure in (
        ("r2", metrics.r2),
        ("mse", metrics.mse),
        ("mae", metrics.mae),
        ("spearman", metrics.spearman),
        ("tau", metrics.kendall_tau),
    ):
        error = metrics.bootstrap_error(measure, true, values, runs, np.random.default_rng([seed, 4]))
        tau, tau_error = measure(true, values), error  # tau is the last
        yield Result(like.task, like.encoder, metric, tau, like.n, like.split, error)
    yield Result(like.task, like.encoder, "tau_max", most, like.n, like.split)
    share = tau / most if tau is not None and most else None
    error = tau_error / most if tau_error is not None and most else None
    yield Result(like.task, like.encoder, "tau/tau_max", share, like.n, like.split, error)
