"""Two evaluations of the same checkpoints in; what the first predicts better than the second out.

Only checkpoints that both predicted count, families of them drawn together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from wembed.errors import NotFoundError, WembedError
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
        WembedError: one does not say which checkpoints belong together.
    """
    for name, each in (("first", first), ("second", second)):
        _check_families(name, each)
    rows = [
        row
        for split, ours, theirs in (
            ("test", first.predictions, second.predictions),
            ("zero-shot", first.zero_shot, second.zero_shot),
        )
        for one, other in _pairs(first, second, ours, theirs)
        for row in _compared(_blank(first, second, (one, other), split), (ours[one], theirs[other]))
    ]
    if not rows:
        raise NotFoundError(
            "nothing to compare: the two evaluations have no predictions of the same checkpoints",
            "evaluate the same zoo twice, with one --seed",
        )
    return rows


def data_of(evaluation: Evaluation) -> str:
    """The hash of the checkpoints; "" where an evaluation did not say it yet."""
    return str(evaluation.facts.get("data", ""))


def _check_families(name: str, evaluation: Evaluation) -> None:
    for told in (*evaluation.predictions.values(), *evaluation.zero_shot.values()):
        if not all(point.family for point in told):
            message = f"the {name} evaluation doesn't say which predictions are of one family"
            raise WembedError(message, "evaluate again, an earlier version wrote it")


def _blank(first: Evaluation, second: Evaluation, names: tuple[str, str], split: str) -> Result:
    """A row of a comparison that says where it comes from, but not yet what was found."""
    ids = [
        next((row.encoder_id for row in each.results if row.encoder == name and row.encoder_id), name)
        for name, each in zip(names, (first, second), strict=True)
    ]
    data = data_of(first) if data_of(first) == data_of(second) else ""
    return Result(
        COMPARED, "-".join(names), "", None, 0, split,
        seed=_SEED, encoder_id=" ".join(ids), data=data, target=ACCURACY.name,
    )  # fmt: skip


def _pairs(
    first: Evaluation, second: Evaluation, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Names of what is compared: the main encoders, then what has the same name in both."""
    mains = tuple(str(each.facts.get("main encoder", "")) for each in (first, second))
    if mains[0] != mains[1] and mains[0] in ours and mains[1] in theirs:
        yield mains[0], mains[1]
    yield from ((name, name) for name in ours if name in theirs)


def _compared(blank: Result, sides: tuple[Sequence[Predicted], Sequence[Predicted]]) -> Iterator[Result]:
    """The rows of one pair on one split."""
    ours, theirs = ({each.id: each for each in side} for side in sides)
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) < _LEAST or any(ours[key].true != theirs[key].true for key in shared):
        return
    draws = draw_groups(np.array([ours[key].family for key in shared]), np.random.default_rng([_SEED, 8]))
    true = np.array([ours[key].true for key in shared])
    one, other = (measure(true, np.array([[side[key].value for key in shared]]), draws) for side in (ours, theirs))
    found = difference(one, other)
    blank = replace(blank, n=len(shared))
    for metric, value in found.metrics.items() if found else ():
        row = replace(blank, metric=metric, value=value)
        is_first = found and metric == "tau_difference"
        yield replace(row, error=found.error, low=found.low, high=found.high) if found and is_first else row
    for metric in _ERRORS:
        less = Measured(one[metric].values - other[metric].values, one[metric].drawn - other[metric].drawn)
        low, high = less.interval or (None, None)
        yield replace(blank, metric=f"{metric}_difference", value=less.value, error=less.error, low=low, high=high)
