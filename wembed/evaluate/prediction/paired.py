"""Two predictions of the same checkpoints in; how much better one orders them than the other out.

Whole groups are drawn with replacement, for both from the same draw: what makes a draw easy or hard cancels.
Legend: N checkpoints, S seeds, R draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.prediction.draws import RESAMPLES, Measured, draw_groups, measure

_INTERVAL = (0.025, 0.975)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The tau/tau_max of one prediction less that of another, on the same checkpoints.

    Args:
        value: on all of them.
        error: its standard error.
        low: lower end of the interval that holds 95 % of the draws.
        high: its upper end.
        above: share of the draws in which it is above 0.
    """

    value: float
    error: float
    low: float
    high: float
    above: float

    @property
    def metrics(self) -> dict[str, float]:
        """Name of a metric -> value, but for the error, which stands beside the first."""
        return {
            "tau_difference": self.value,
            "tau_difference_low": self.low,
            "tau_difference_high": self.high,
            "tau_difference_above_0": self.above,
        }


def paired_difference(
    true: Values, first: Values, second: Values, groups: NDArray[np.str_], generator: np.random.Generator
) -> Difference | None:
    """Compares two predictions by the order they put checkpoints in.

    Args:
        true: measured accuracies, [N].
        first: what the one predicts, [N].
        second: what the other predicts, [N].
        groups: the run or family of each checkpoint, [N].
        generator: of the draws.

    Returns:
        None where the truth does not vary, or there are too few groups.
    """
    draws = draw_groups(groups, generator)
    return difference(*(measure(true, values[None], draws) for values in (first, second)))


def difference(first: Mapping[str, Measured], second: Mapping[str, Measured]) -> Difference | None:
    """The same for two predictions that were measured on the same draws, see `measure`."""
    whole = _share(first) - _share(second)  # [1 + R]
    drawn = whole[1:][np.isfinite(whole[1:])]
    if not np.isfinite(whole[0]) or len(drawn) < RESAMPLES / 2:
        return None
    low, high = np.quantile(drawn, _INTERVAL).tolist()
    return Difference(float(whole[0]), float(drawn.std(ddof=1)), low, high, float((drawn > 0).mean()))


def _share(measured: Mapping[str, Measured]) -> Values:
    """tau/tau_max on everything and on each draw, [1 + R]; 0 for values that are all the same, which order nothing."""
    share, most = (
        np.append(found.values.mean(), found.drawn) for found in (measured["tau/tau_max"], measured["tau_max"])
    )
    found: Values = np.where(np.isnan(share) & (np.nan_to_num(most) > 0), 0.0, share)
    return found
