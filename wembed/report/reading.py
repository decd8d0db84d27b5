"""Sentences that say what the numbers say, whoever wins; nothing here knows how an evaluation should come out."""

import math

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import (
    RETRIEVAL,
    best,
    best_baseline,
    find,
    is_control,
    main_encoder,
    rows_of,
    splits,
    value,
)

_LEVEL = 2.0  # standard errors of a difference, below which two shares are called level
_SAME = 0.0005  # numbers that three decimals do not tell apart


def sentences(evaluation: Evaluation) -> list[str]:
    """One for each thing that was measured, in the order of the tasks."""
    found = [_retrieval(evaluation, task, split) for task in RETRIEVAL for split in splits(rows_of(evaluation, task))]
    found += [_prediction(evaluation), _control(evaluation), _coverage(evaluation, "prediction", "test")]
    found += [_zero_shot(evaluation), _coverage(evaluation, "zero-shot", "zero-shot")]
    found += [_midpoint(evaluation), _beside_controls(evaluation), _steered(evaluation), _barrier(evaluation)]
    return [sentence for sentence in found if sentence]


def note_on_errors(evaluation: Evaluation) -> str:
    """What the sentences' ± is."""
    if any(row.error is not None for row in evaluation.results):
        return "± is one standard error, whole runs taken as independent."
    return "± is one standard error, as if queries were independent."


def share_error(share: float, n: int) -> float:
    """The standard error of a share of n independent cases, Wilson's, which is not 0 at a share of 0 or 1."""
    return math.sqrt(share * (1 - share) / n + 1 / (4 * n * n)) / (1 + 1 / n)


def _retrieval(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    own, other = find(evaluation, task, main, "recall@1", split), best_baseline(evaluation, task, "recall@1", split)
    where = f"Among {split.partition(':')[2]} only" if ":" in split else "Over all architectures"
    if not own and not other:
        return ""
    start = f"{where}, finding {RETRIEVAL[task]}:"
    if not own or not other:
        there = own or other
        return f"{start} {there.encoder} comes first in {_percent(there)} of {there.n} queries." if there else ""
    return (
        f"{start} {main} puts the right one first in {_percent(own)} of {own.n} queries, the best baseline, "
        f"{other.encoder}, in {_percent(other)}: {_verdict(main, own, other)}."
    )


def _percent(row: Result) -> str:
    return f"{100 * (row.value or 0.0):.1f} % (± {100 * _error_of(row):.1f})"


def _error_of(row: Result) -> float:
    """An error that is not 0, which runs that all do alike would give."""
    return row.error or share_error(row.value or 0.0, row.n)


def _with_error(row: Result) -> str:
    return f"{row.value:.3f}" + ("" if row.error is None else f" (± {row.error:.3f})")


def _verdict(main: str, own: Result, other: Result) -> str:
    first, second = own.value or 0.0, other.value or 0.0
    error = math.hypot(_error_of(own), _error_of(other))
    if abs(first - second) < max(_SAME, _LEVEL * error):
        return f"{main} is level with it, within two standard errors"
    return f"{main} is {'ahead' if first > second else 'behind'} by {100 * abs(first - second):.1f} points"


def _prediction(evaluation: Evaluation) -> str:
    text = _ordering(evaluation, "prediction", "test")
    return f"Accuracy of {text}" if text else ""


def _zero_shot(evaluation: Evaluation) -> str:
    text = _ordering(evaluation, "zero-shot", "zero-shot")
    return f"On a data set that no training network saw, accuracy of {text}{_use(evaluation)}" if text else ""


def _use(evaluation: Evaluation) -> str:
    """What predictions on the sealed data set are good for, where their scale is off."""
    main = main_encoder(evaluation)
    r2, tau = (find(evaluation, "zero-shot", main, metric, "zero-shot") for metric in ("r2", "tau"))
    if not r2 or r2.value is None or r2.value >= 0 or not tau or tau.value is None:
        return ""
    if tau.value > _LEVEL * (tau.error or 0.0):
        return " Its scale is off (R² below 0): only the order of networks can be used there."
    return " Neither its scale (R² below 0) nor its order says anything there."


def _ordering(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    own, other = find(evaluation, task, main, "tau", split), best_baseline(evaluation, task, "tau", split)
    if not own or own.value is None:
        return ""
    start = f"{own.n} checkpoints: {main} reaches Kendall's tau {_with_error(own)}"
    if not other or other.value is None:
        return f"{start}."
    gap = own.value - other.value
    verdict = "the same" if abs(gap) < _SAME else f"{abs(gap):.3f} {'less' if gap > 0 else 'more'}"
    is_level = own.error and other.error and abs(gap) < _LEVEL * math.hypot(own.error, other.error)
    noise = ", within two standard errors" if is_level else ""
    return f"{start}, the best baseline, {other.encoder}, {_with_error(other)}, which is {verdict}{noise}."


def _control(evaluation: Evaluation) -> str:
    rows = [row for row in rows_of(evaluation, "prediction", "test") if is_control(row.encoder) and row.metric == "tau"]
    known = [row for row in rows if row.value is not None]
    if not known:
        return ""
    largest = max(known, key=lambda row: abs(row.value or 0.0))
    chance = math.sqrt(2 * (2 * largest.n + 5) / (9 * largest.n * (largest.n - 1))) if largest.n > 1 else 1.0
    return (
        f"With shuffled labels tau is {largest.value:.3f}; for {largest.n} independent checkpoints chance alone has a "
        f"standard deviation of {chance:.3f}, and snapshots of one run are not independent."
    )


def _coverage(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    share, width = (value(evaluation, task, main, metric, split) for metric in ("coverage", "interval_width"))
    if share is None:
        return ""
    spread = f"; they are {width:.2f} wide on average" if width is not None else ""
    place = "there" if task == "zero-shot" else "of " + main
    stated = evaluation.facts.get("stated coverage of intervals")
    aim = f", {100 * stated:.0f} % are stated" if isinstance(stated, float) else ""
    return f"The intervals {place} hold {100 * share:.1f} % of the true accuracies{aim}{spread}."


def _midpoint(evaluation: Evaluation) -> str:
    known = _merged(evaluation, "midpoint_accuracy")
    if "naive" not in known or "aligned" not in known:
        return ""
    naive, aligned = known["naive"], known["aligned"]
    ends = f"; their endpoints reach {known['endpoints'].value:.3f} on average" if "endpoints" in known else ""
    return (
        f"Half-way between {aligned.n} pairs, matched networks reach an accuracy of {aligned.value:.3f}, "
        f"{_more(aligned, naive)} the {naive.value:.3f} of plain averages{ends}."
    )


def _beside_controls(evaluation: Evaluation) -> str:
    known = _merged(evaluation, "midpoint_accuracy")
    noise = known.get("noise")
    return f"An endpoint moved as far by noise reaches {noise.value:.3f}." if noise and "aligned" in known else ""


def _steered(evaluation: Evaluation) -> str:
    """Merging by embedding, beside matching on the same pairs."""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == "midpoint_accuracy"]
    embedding = best((row for row in rows if row.encoder == "embedding"), "midpoint_accuracy")
    if not embedding:
        return ""
    aligned = find(evaluation, "merging", "aligned", "midpoint_accuracy", embedding.split)
    beside = f", {_more(embedding, aligned)} the {aligned.value:.3f} of matching alone" if aligned else ""
    return (
        f"Steering the average of {embedding.n} pairs towards the interpolated embedding gives "
        f"{embedding.value:.3f}{beside}."
    )


def _barrier(evaluation: Evaluation) -> str:
    found = _merged(evaluation, "barrier_removed").get("aligned")
    if not found or found.value is None:
        return ""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == "barrier_removed" and ":" in row.split]
    most = max((row for row in rows if row.value is not None), key=lambda row: row.n, default=None)
    among = f"; {100 * (most.value or 0.0):.1f} % among the {most.n} of {most.split.partition(':')[2]}" if most else ""
    removed = f"{100 * found.value:.1f} % of the loss barrier of plain averages"
    return f"Matching removes {removed} ({found.n} pairs){among}."


def _merged(evaluation: Evaluation, metric: str) -> dict[str, Result]:
    """The first row of every method: that of all pairs."""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == metric and row.value is not None]
    return {row.encoder: row for row in reversed(rows)}


def _more(one: Result, other: Result) -> str:
    gap = (one.value or 0.0) - (other.value or 0.0)
    return "no different from" if abs(gap) < _SAME else f"{'above' if gap > 0 else 'below'}"
