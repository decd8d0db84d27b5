"""Two evaluations of the same checkpoints in; what the first predicts better than the second out.

Only checkpoints that both predicted count, families of them drawn together.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from wembed.errors import NotFoundError
from wembed.evaluate.prediction.accuracy import COMPARED
from wembed.evaluate.prediction.draws import Measured, draw_groups, measure
from wembed.evaluate.prediction.paired import difference
from wembed.evaluate.results import Evaluation, Predicted, Result
from wembed.prediction import ACCURACY

_ERRORS = ("r2", "mse", "mae")
_LEAST = 3  # checkpoints
_SEED = 0  # of the draws


def compare(first: Evaluation, second: Evaluation) -> list[Result]:
    """The differences of all encoders and baselines that both evaluated: first less second, on the same draws.

    The intervals are paired bootstraps over families of checkpoints. Encoders of one name are compared with each
    other; so are the two main encoders where their names differ.

    Args:
        first: one evaluation.
        second: another one, of the same zoo.

    Raises:
        NotFoundError: they have no predictions of the same checkpoints.
    """
    rows = [
        row
        for split, ours, theirs in (
            ("test", first.predictions, second.predictions),
            ("zero-shot", first.zero_shot, second.zero_shot),
        )
        for one, other in _pairs(first, second, ours, theirs)
        for row in _compared(f"{one}-{other}", split, (ours[one], theirs[other]))
    ]
    if not rows:
        raise NotFoundError(
            "nothing to compare: the two evaluations have no predictions of the same checkpoints",
            "evaluate the same zoo twice, with one --seed",
        )
    return rows


def _pairs(
    first: Evaluation, second: Evaluation, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Names of what is compared: the main encoders, then what has the same name in both."""
    mains = tuple(str(each.facts.get("main encoder", "")) for each in (first, second))
    if mains[0] != mains[1] and mains[0] in ours and mains[1] in theirs:
        yield mains[0], mains[1]
    yield from ((name, name) for name in ours if name in theirs)


def _compared(name: str, split: str, sides: tuple[Sequence[Predicted], Sequence[Predicted]]) -> Iterator[Result]:
    """The rows of one pair on one split."""
    ours, theirs = ({each.id: each for each in side} for side in sides)
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) < _LEAST or any(ours[key].true != theirs[key].true for key in shared):
        return
    draws = draw_groups(np.array([ours[key].family or key for key in shared]), np.random.default_rng([_SEED, 8]))
    true = np.array([ours[key].true for key in shared])
    one, other = (measure(true, np.array([[side[key].value for key in shared]]), draws) for side in (ours, theirs))
    found = difference(one, other)
    for metric, value in found.metrics.items() if found else ():
        ends = (found.low, found.high) if found and metric == "tau_difference" else (None, None)
        yield Result(COMPARED, name, metric, value, len(shared), split, low=ends[0], high=ends[1], target=ACCURACY.name)
    for metric in _ERRORS:
        less = Measured(one[metric].values - other[metric].values, one[metric].drawn - other[metric].drawn)
        low, high = less.interval or (None, None)
        yield Result(
            COMPARED, name, f"{metric}_difference", less.value, len(shared), split, less.error, low=low, high=high,
            target=ACCURACY.name,
        )  # fmt: skip
