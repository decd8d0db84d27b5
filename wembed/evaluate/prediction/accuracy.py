"""Predictions of held-out checkpoints in; the rows that say how good they are, and how two of them compare, out.

Legend: N checkpoints of the zoo, M of a sample, S seeds.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.material import Mask, Material
from wembed.evaluate.prediction.draws import (
    METRICS,
    Draws,
    Measured,
    draw_groups,
    measure,
    measure_mean,
    measure_tau_within,
)
from wembed.evaluate.prediction.fits import Fitted
from wembed.evaluate.prediction.paired import difference
from wembed.evaluate.prediction.targets import Truth
from wembed.evaluate.results import Predicted, Result

TASKS: Mapping[str, str] = {"zero-shot": "zero-shot"}  # split -> task
PREDICTION = "prediction"  # the task of all other splits
COMPARED = "accuracy"  # the task of comparing two predictions
SHUFFLED = "(shuffled labels)"  # stands after the name of what was fitted on them
_LEAST = 3  # checkpoints that a correlation is worth computing on
_LEAST_OF_CELL = 5


@dataclass(frozen=True)
class Sample:
    """Held-out checkpoints that predictions are measured on; make it with `sample_of`.

    Args:
        split: what they are called; what stands before a colon says the task.
        target: what is predicted of them.
        mask: which they are, [N].
        true: the target's values, [M].
        cells: those of one configuration and step, by their places among the M.
        draws: of their families.
    """

    split: str
    target: str
    mask: Mask
    true: NDArray[np.float64]
    cells: list[NDArray[np.intp]]
    draws: Draws

    def row(self, encoder: str, metric: str, found: Measured | None, seeds: int) -> Result:
        """The row of one number; None for a number that it does not have."""
        task = TASKS.get(self.split.split(":")[0], PREDICTION)
        value = found.value if found else None
        empty = Result(task, encoder, metric, value, len(self.true), self.split, target=self.target)
        if found is None or value is None:
            return empty
        low, high = found.interval or (None, None)
        return replace(empty, error=found.error, low=low, high=high, seeds=seeds, spread=found.spread)


def sample_of(material: Material, truth: Truth, mask: Mask, split: str, seed: int) -> Sample | None:
    """The checkpoints of a mask whose target is known; None for fewer than a correlation needs.

    Args:
        material: the zoo.
        truth: what is predicted.
        mask: which checkpoints, [N].
        split: what to call them.
        seed: of the draws, which are the same whatever is measured.
    """
    mask = mask & ~np.isnan(truth.values)
    if mask.sum() < _LEAST:
        return None
    draws = draw_groups(material.families[mask], np.random.default_rng([seed, 4]))
    return Sample(split, truth.target, mask, truth.values[mask], _cells(material, mask), draws)


def prediction_results(name: str, fitted: Fitted | None, sample: Sample) -> Iterator[Result]:
    """The rows of one encoder or baseline on a sample; without values where it does not know all of it.

    Args:
        name: of the encoder or baseline.
        fitted: what it predicts; None where there was too little to fit on.
        sample: what to measure on.
    """
    if fitted is None or not _knows(fitted, sample):
        yield from (sample.row(name, metric, None, 1) for metric in METRICS)
        return
    seeds, draws = len(fitted.values), sample.draws
    values, low, high = (table[:, sample.mask] for table in (fitted.values, fitted.low, fitted.high))
    held = (low <= sample.true) & (sample.true <= high)
    found: dict[str, Measured | None] = {
        **measure(sample.true, values, draws),
        "tau within cells": measure_tau_within(sample.true, values, sample.cells, draws),
        "coverage": measure_mean(held.astype(np.float64), draws) if fitted.is_bounded else None,
        "interval_width": measure_mean(high - low, draws) if fitted.is_bounded else None,
        "in_domain": measure_mean(fitted.in_domain[:, sample.mask].astype(np.float64), draws),
    }
    yield from (sample.row(name, metric, measured, seeds) for metric, measured in found.items())


def compared_results(names: tuple[str, str], fits: tuple[Fitted, Fitted], sample: Sample) -> Iterator[Result]:
    """The rows that say how much better one encoder or baseline orders a sample than another, on the same draws.

    Args:
        names: of both.
        fits: what they predict.
        sample: what to measure on.
    """
    pair = Result(COMPARED, pair_name(*names), "", None, len(sample.true), sample.split, target=sample.target)
    if not all(_knows(fitted, sample) for fitted in fits):
        yield replace(pair, metric="tau_difference")
        return
    first, second = (measure(sample.true, fitted.values[:, sample.mask], sample.draws) for fitted in fits)
    found = difference(first, second)
    for metric, value in found.metrics.items() if found else ():
        row = replace(pair, metric=metric, value=value, seeds=len(fits[0].values))
        is_first = found and metric == "tau_difference"
        yield replace(row, error=found.error, low=found.low, high=found.high) if found and is_first else row


def pair_name(first: str, second: str) -> str:
    """What two encoders or baselines are called where the second is taken from the first."""
    return f"{first}-{second}"


def predicted(material: Material, fitted: Fitted, sample: Sample) -> list[Predicted]:
    """The single predictions behind the numbers, those of the first seed."""
    chosen = [(place, material.rows[place]) for place in np.flatnonzero(sample.mask & fitted.known)]
    return [
        Predicted(
            row.id, row.dataset or "", row.accuracy or 0.0, float(fitted.values[0, place]),
            float(fitted.low[0, place]), float(fitted.high[0, place]), bool(fitted.in_domain[0, place]),
            str(material.families[place]),
        )
        for place, row in chosen
    ]  # fmt: skip


def _knows(fitted: Fitted, sample: Sample) -> bool:
    return bool(fitted.known[sample.mask].all())


def _cells(material: Material, mask: Mask) -> list[NDArray[np.intp]]:
    """Checkpoints of one configuration and step, by their places in a mask, where there are enough to order."""
    cells: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for number, place in enumerate(np.flatnonzero(mask)):
        cells[str(material.configs[place]), material.rows[place].step].append(number)
    return [np.array(cell) for cell in cells.values() if len(cell) >= _LEAST_OF_CELL]
