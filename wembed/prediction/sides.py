"""Training and validation examples in; checked, and the validation runs halved, out.

One half of the validation runs chooses among heads, the other half says how wide the intervals must be.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.errors import WembedError
from wembed.prediction.examples import Examples

MIN_RUNS = {"training": 10, "validation": 4}  # with fewer than 18 of the latter intervals of 90 % are unbounded

_HINT = "add more to the zoo; runs that share initial weights or come from each other count as one"


class TooFewRunsError(WembedError):
    """There are not enough runs with known targets to predict from."""


@dataclass(frozen=True)
class Halves:
    """The validation runs in two parts."""

    choosing: Examples
    calibrating: Examples

    @classmethod
    def of(cls, validation: Examples) -> "Halves":
        """Two halves of the runs, in the order of a hash of their names."""
        names = sorted(set(validation.runs), key=lambda name: hashlib.sha256(str(name).encode()).digest())
        first: NDArray[np.bool_] = np.isin(validation.runs, names[: len(names) // 2])  # [N]
        return cls(validation.part(first), validation.part(~first))


def check_runs(train: Examples, validation: Examples, what: str = "accuracies") -> None:
    """Checks that there is enough to fit and calibrate on.

    Args:
        train: what heads are fitted on.
        validation: other runs.
        what: is to be predicted, for the message.

    Raises:
        TooFewRunsError: there are.
        ValueError: a run is on both sides.
    """
    for name, examples in (("training", train), ("validation", validation)):
        if examples.run_count < MIN_RUNS[name]:
            found = f"found {examples.run_count} independent {name} runs, expected {MIN_RUNS[name]} or more"
            raise TooFewRunsError(f"too few runs with known {what} to predict from: {found}", _HINT)
    both = sorted(set(train.runs) & set(validation.runs))
    if both:
        raise ValueError(f"run {both[0]} is among training and validation runs")
