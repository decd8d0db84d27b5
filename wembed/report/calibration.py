"""Stated coverages in; what measured ones can be by chance alone out."""

from collections.abc import Mapping
from dataclasses import dataclass

from wembed.evaluate.results import Evaluation

RUNS = "runs by split"  # the name of a fact
FIRST_RUN = "run 0"  # of several seeds: what a fact says of the first, where they differ
_OUTSIDE = 0.025  # on either side of the band


@dataclass(frozen=True)
class Band:
    """Between which shares 95 % of measurements of a coverage fall, if it is as stated."""

    low: float
    high: float

    def holds(self, share: float) -> bool:
        """Whether a measured share is in it."""
        return self.low <= share <= self.high


def band(level: float, count: int) -> Band:
    """The binomial band.

    Args:
        level: stated coverage.
        count: of independent cases.
    """
    from scipy.stats import binom

    low, high = binom.ppf([_OUTSIDE, 1 - _OUTSIDE], count, level) / count
    return Band(float(low), float(high))


def independent_cases(evaluation: Evaluation, split: str) -> int | None:
    """How many runs a split has: snapshots of one run are no cases of their own. None where it isn't said."""
    fact = evaluation.facts.get(RUNS)
    fact = fact.get(FIRST_RUN, fact) if isinstance(fact, Mapping) else None
    found = fact.get(split) if isinstance(fact, Mapping) else None
    return found if isinstance(found, int) and found > 0 else None
