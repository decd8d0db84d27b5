"""Paired differences in; out, whom the main encoder is above, whom below, and where the interval does not tell.

Both of a pair are measured on the same draws of whole runs, so that what makes a draw easy or hard cancels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import (
    ACCURACY,
    COMPARED,
    POOLED,
    TEST,
    ZERO_SHOT,
    is_asked,
    is_variant,
    main_encoder,
    over_seeds,
    retrieval_tasks,
    shape_split,
)
from wembed.report.reading.phrases import joined

_RECALL, _TAU = "recall@1_difference", ("tau_difference", "tau/tau_max_difference")
_RETRIEVAL, _PREDICTION = "retrieval-", "prediction"


@dataclass(frozen=True)
class Difference:
    """What the main encoder reaches less what another one does.

    Args:
        other: encoder or baseline.
        value: the difference.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    other: str
    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """For a sentence."""
        return f"{self.other} ({self.value:+.3f}, {self.low:+.3f} to {self.high:+.3f})"


def differences(evaluation: Evaluation, task: str, split: str) -> list[Difference]:
    """The differences of Recall@1 of a retrieval task, or of tau / tau max of a prediction, where they are known."""
    if not is_asked(evaluation, task, split):
        return []
    main = main_encoder(evaluation)
    found = [_difference(evaluation, row, main) for row in _rows(evaluation, task, split) if row.value is not None]
    return [difference for difference in found if difference]


def against(evaluation: Evaluation, task: str, split: str, other: str) -> Difference | None:
    """The difference to one encoder or baseline."""
    return next((found for found in differences(evaluation, task, split) if found.other == other), None)


def paired_sentence(evaluation: Evaluation, task: str, split: str) -> str:
    """Whom the main encoder is above and whom it is not; "" where no paired difference is known."""
    found = differences(evaluation, task, split)
    above = [one.text for one in found if one.low > 0]
    below = [one.text for one in found if one.high < 0]
    level = [one.text for one in found if one.low <= 0 <= one.high]
    parts = [
        *([f"above zero against {_all(above, found)}"] if above else []),
        *([f"below zero against {_all(below, found)}"] if below else []),
    ]
    said = f"lies {'; it lies '.join(parts)}" if parts else ""
    held = f"holds zero against {_all(level, found)}" if level else ""
    whole = "; it ".join(part for part in (said, held) if part)
    return f"The {_intervals(evaluation)} of the difference {whole}." if whole else ""


def verdict(evaluation: Evaluation) -> list[str]:
    """One sentence over all comparisons of Recall@1 and tau / tau max: in how many the main encoder is above.

    Those on held-out runs count, over all architectures and on the one shape that every baseline knows, and those on
    the data set never seen.
    """
    main = main_encoder(evaluation)
    asked = [(task, split) for task in (*retrieval_tasks(evaluation), _PREDICTION) for split in _splits(evaluation)]
    found = [
        (_measure(task, split), one)
        for task, split in asked
        for one in differences(evaluation, task, split)
        if not is_variant(evaluation, one.other)
    ]
    if not found:
        return []
    below, level = _named(found, lambda one: one.high < 0), _named(found, lambda one: one.low <= 0 <= one.high)
    count = sum(1 for _, one in found if one.low > 0)
    start = f"{main} is above {'in all' if count == len(found) else f'in {count} of'} {len(found)} comparisons"
    by = _intervals(evaluation).replace("interval", "intervals")
    said = f"{start} of Recall@1 and tau / tau max with other encoders and baselines, by {by}"
    told = [f"it is below in {below}"] if below else []
    told += [f"the interval holds zero in {level}"] if level else []
    return [f"{'; '.join([said, *told])}."]


def _named(found: Sequence[tuple[str, Difference]], holds: Callable[[Difference], bool]) -> str:
    """Those differences that something holds for, by measure; "" for none."""
    others: dict[str, list[str]] = {}
    for measure, one in found:
        if holds(one):
            others.setdefault(measure, []).append(one.other)
    return "; in ".join(f"{measure} against {joined(names)}" for measure, names in others.items())


def _measure(task: str, split: str) -> str:
    measure = "tau / tau max" if task == _PREDICTION else f"Recall@1 ({task.removeprefix(_RETRIEVAL)})"
    return measure + {TEST: "", ZERO_SHOT: " on the data set never seen"}.get(split, " on one shape")


def _intervals(evaluation: Evaluation) -> str:
    """By what a difference is called one."""
    return "95 % interval over seeds (Student's t)" if POOLED in evaluation.facts else "paired 95 % interval"


def _splits(evaluation: Evaluation) -> list[str]:
    shape = shape_split(evaluation)
    return [TEST, *([shape] if shape else []), ZERO_SHOT]


def _all(some: Sequence[str], found: Sequence[Difference]) -> str:
    """Names, after a word where they are all that there are."""
    return f"all {len(some)}: {joined(some)}" if len(some) == len(found) > 1 else joined(some)


def _rows(evaluation: Evaluation, task: str, split: str) -> list[Result]:
    rows = [row for row in evaluation.results if row.split == split]
    if task.startswith("retrieval"):
        return [row for row in rows if (row.task, row.metric, row.target) == (COMPARED, _RECALL, task)]
    return [row for row in rows if row.task == ACCURACY and row.metric in _TAU and row.target in ("", ACCURACY)]


def _difference(evaluation: Evaluation, row: Result, main: str) -> Difference | None:
    low, high = _ends(evaluation, row)
    if not row.encoder.startswith(f"{main}-") or row.value is None or low is None or high is None:
        return None
    return Difference(row.encoder.removeprefix(f"{main}-"), row.value, low, high)


def _ends(evaluation: Evaluation, row: Result) -> tuple[float | None, float | None]:
    """The interval of a difference; of a mean over seeds, that of the mean."""
    if POOLED in evaluation.facts:
        return over_seeds(row) or (None, None)
    if row.low is not None and row.high is not None:
        return row.low, row.high
    return _end(evaluation, row, "low"), _end(evaluation, row, "high")


def _end(evaluation: Evaluation, row: Result, end: str) -> float | None:
    """An end of an interval that has a row of its own."""
    named = (row.task, row.encoder, f"{row.metric}_{end}", row.split, row.target)
    found = (
        other.value
        for other in evaluation.results
        if (other.task, other.encoder, other.metric, other.split, other.target) == named
    )
    return next(found, None)
