"""A prediction and the truth in; its metrics on all checkpoints and on draws of whole groups out.

Groups are runs, or families where runs come from each other: their checkpoints are no independent evidence, so they are
drawn together, with replacement (Efron, 1979). Everything that a draw needs is summed over groups first, pairs of
checkpoints over pairs of groups: a draw costs nothing then. Legend: N checkpoints, G groups, S seeds, R draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500  # enough for the second digit of a share near .95
METRICS = ("r2", "mse", "mae", "spearman", "tau", "tau_max", "tau/tau_max")
_INTERVAL = (0.025, 0.975)
_LEAST_GROUPS = 5  # fewer say nothing of how groups differ
_BLOCK = 512  # checkpoints that are paired with all others at once
_NOTHING = 1e-12  # a variance below it is none

Values = NDArray[np.float64]
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Draws of groups; make them with `draw_groups`.

    Args:
        index: the group of each checkpoint, by number, [N].
        counts: how often each group is drawn, [1 + R, G]; the first row is everything as it is, once.
    """

    index: NDArray[np.intp]
    counts: Counts

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Checkpoints group by group, [N]."""
        return np.argsort(self.index, kind="stable")

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """Where each group starts in that order, [G]."""
        return np.searchsorted(self.index[self.order], np.arange(self.counts.shape[1]))

    @cached_property
    def sizes(self) -> Values:
        """How many checkpoints each draw holds, [1 + R]."""
        return self.total(np.ones(len(self.index)))

    def within(self, chosen: NDArray[np.intp]) -> "Draws":
        """The same draws of some of the checkpoints."""
        present, index = np.unique(self.index[chosen], return_inverse=True)
        return Draws(index, self.counts[:, present])

    @cached_property
    def pairs(self) -> Values:
        """How many ordered pairs of different checkpoints each draw holds; copies of one are no pair, [1 + R]."""
        return self.sizes**2 - self.counts**2 @ np.bincount(self.index, minlength=self.counts.shape[1])

    def total(self, values: Values) -> Values:
        """Sums of values [N] over each draw, [1 + R]."""
        sums: Values = self.counts @ np.bincount(self.index, values, self.counts.shape[1])
        return sums

    def pair_total(self, left: Values, right: Values) -> Values:
        """Sums over ordered pairs of sign(left_i - left_j) sign(right_i - right_j) over each draw, [1 + R]."""
        left, right = left[self.order], right[self.order]  # [N]
        count, groups = len(left), self.index[self.order]
        sums = np.zeros((self.counts.shape[1],) * 2)  # [G, G]
        for start in range(0, count, _BLOCK):
            rows = slice(start, start + _BLOCK)
            signs = np.sign(left[rows, None] - left) * np.sign(right[rows, None] - right)  # [B, N]
            np.add.at(sums, groups[rows], np.add.reduceat(signs, self.starts, axis=1))
        totals: Values = ((self.counts @ sums) * self.counts).sum(1)
        return totals


@dataclass(frozen=True)
class Measured:
    """One metric of one prediction.

    Args:
        values: on all checkpoints, one per seed, [S]; not a number where it has none.
        drawn: the mean over seeds on each draw, [R].
    """

    values: Values
    drawn: Values

    @property
    def value(self) -> float | None:
        """The mean over seeds; None where one has none."""
        found = float(self.values.mean())
        return found if np.isfinite(found) else None

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds; None for one seed."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 and self.value is not None else None

    @property
    def error(self) -> float | None:
        """The standard error over draws; None where most draws have no value, and where groups are too few."""
        known = self._known()
        return float(known.std(ddof=1)) if len(known) and self.value is not None else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """What holds 95 % of the draws; None as for the error."""
        known = self._known()
        if not len(known) or self.value is None:
            return None
        low, high = np.quantile(known, _INTERVAL).tolist()
        return low, high

    def _known(self) -> Values:
        known = self.drawn[np.isfinite(self.drawn)]
        return known if len(known) > len(self.drawn) / 2 else known[:0]


def draw_groups(groups: NDArray[np.str_], generator: np.random.Generator) -> Draws:
    """Draws as many groups as there are, with replacement, RESAMPLES times; no draws of very few.

    Args:
        groups: the group of each checkpoint, [N].
        generator: of the draws.
    """
    names, index = np.unique(groups, return_inverse=True)
    count = len(names)
    times = RESAMPLES if count >= _LEAST_GROUPS else 0
    drawn = generator.multinomial(count, np.full(count, 1 / count), times)  # [R, G]
    return Draws(index, np.concatenate([np.ones((1, count)), drawn.reshape(times, count)]))


def measure(true: Values, predicted: Values, draws: Draws) -> Mapping[str, Measured]:
    """Every metric of METRICS.

    Args:
        true: measured values, [N].
        predicted: one row per seed, [S, N].
        draws: of the N checkpoints.
    """
    untied = draws.pair_total(true, true)  # [1 + R]
    found = [_metrics(true, row, untied, draws) for row in predicted]
    tables = {name: np.array([each[name] for each in found]) for name in METRICS}  # [S, 1 + R]
    return {name: Measured(table[:, 0], table[:, 1:].mean(0)) for name, table in tables.items()}


def measure_mean(values: Values, draws: Draws) -> Measured:
    """The mean of what is known of every checkpoint, one row per seed, [S, N]."""
    table = np.array([draws.total(row) / draws.sizes for row in values])  # [S, 1 + R]
    return Measured(table[:, 0], table[:, 1:].mean(0))


def measure_tau_within(
    true: Values, predicted: Values, cells: Sequence[NDArray[np.intp]], draws: Draws
) -> Measured | None:
    """The mean tau within cells, each weighted by its size; None where it has none in any.

    Args:
        true: measured values, [N].
        predicted: one row per seed, [S, N].
        cells: the checkpoints of each, which may leave some out.
        draws: of the N checkpoints.
    """
    parts = [(cell, draws.within(cell)) for cell in cells]
    taus = np.array([[_tau(true[cell], row[cell], part) for cell, part in parts] for row in predicted])  # [S, C, 1 + R]
    if not taus.size or not np.isfinite(taus[..., 0]).any(axis=1).all():
        return None
    sizes = np.where(np.isfinite(taus), [part.sizes for _, part in parts], 0.0)
    table = _ratio((np.nan_to_num(taus) * sizes).sum(1), sizes.sum(1))  # [S, 1 + R]
    return Measured(table[:, 0], table[:, 1:].mean(0))


def _metrics(true: Values, predicted: Values, untied: Values, draws: Draws) -> dict[str, Values]:
    """Metric -> its value on everything and on each draw, [1 + R]; see `wembed.metrics` for what they are."""
    sizes, centred = draws.sizes, true - true.mean()
    mse, mae = (draws.total(error) / sizes for error in (np.square(true - predicted), np.abs(true - predicted)))
    variance = draws.total(np.square(centred)) / sizes - np.square(draws.total(centred) / sizes)
    tau = _tau(true, predicted, draws, untied)
    tau_max = np.sqrt(_ratio(untied, draws.pairs))
    return {
        "r2": 1.0 - _ratio(mse, variance),
        "mse": mse,
        "mae": mae,
        "spearman": _spearman(true, predicted, draws),
        "tau": tau,
        "tau_max": tau_max,
        "tau/tau_max": _ratio(tau, tau_max),
    }


def _tau(true: Values, predicted: Values, draws: Draws, untied: Values | None = None) -> Values:
    """Kendall's tau-b on everything and on each draw, [1 + R]; `untied` saves counting the untied pairs again."""
    untied = draws.pair_total(true, true) if untied is None else untied
    pairs = np.sqrt(untied * draws.pair_total(predicted, predicted))
    return _ratio(draws.pair_total(true, predicted), pairs)


def _ratio(above: Values, below: Values) -> Values:
    """Not a number where there is nothing below the line."""
    there = below > _NOTHING
    ratio: Values = np.where(there, above / np.where(there, below, 1.0), np.nan)
    return ratio


def _spearman(true: Values, predicted: Values, draws: Draws) -> Values:
    """The correlation of ranks on each draw, [1 + R]."""
    weights = draws.counts[:, draws.index]  # [1 + R, N]
    ranks = [_ranks(values, weights) for values in (true, predicted)]
    first, second = (each - (weights * each).sum(1, keepdims=True) / draws.sizes[:, None] for each in ranks)
    squares = (weights * np.square(first)).sum(1) * (weights * np.square(second)).sum(1)
    return _ratio((weights * first * second).sum(1), np.sqrt(squares))


def _ranks(values: Values, weights: Counts) -> Values:
    """Ranks where each value stands there as often as its weight says, ties at their mean rank, [1 + R, N]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    reached = np.cumsum(weights[:, np.argsort(values, kind="stable")], axis=1)[:, np.cumsum(counts) - 1]  # [1 + R, U]
    before = np.concatenate([np.zeros((len(weights), 1)), reached[:, :-1]], axis=1)
    ranks: Values = ((before + reached + 1.0) / 2.0)[:, inverse]
    return ranks
