"""What merged: half-way accuracies beside endpoints and chance, and what is left of the loss barrier."""

import math

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import best, find, rows_of
from wembed.report.reading.phrases import LEVEL, SAME, error_of

_CONTROL = "aligned, as much noise as embedding moves"
_PARTS = {"matched by weights": "matching by weights, without data", "naive, repaired": "repair without matching"}


def merging_sentences(evaluation: Evaluation) -> list[str]:
    """On matching, on noise as a control, on merging by embedding, and on barriers."""
    found = [_midpoint(evaluation), _beside_controls(evaluation), _steered(evaluation), _barrier(evaluation)]
    return [sentence for sentence in found if sentence]


def _midpoint(evaluation: Evaluation) -> str:
    known = _merged(evaluation, "midpoint_accuracy")
    if "naive" not in known or "aligned" not in known:
        return ""
    naive, aligned = known["naive"], known["aligned"]
    ends = f"; their endpoints reach {known['endpoints'].value:.3f} on average" if "endpoints" in known else ""
    return (
        f"Half-way between {aligned.n} pairs, matched networks reach an accuracy of {aligned.value:.3f}, "
        f"{_more(aligned, naive)} the {naive.value:.3f} of plain averages{ends}{_of_parts(known, '.3f')}."
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
        f"{embedding.value:.3f}{beside}{_moved_by_noise(evaluation, embedding)}."
    )


def _moved_by_noise(evaluation: Evaluation, embedding: Result) -> str:
    """The control: matched networks that noise moves as far as the embedding does."""
    control = find(evaluation, "merging", _CONTROL, "midpoint_accuracy", embedding.split)
    return f", and {_more(embedding, control)} the {control.value:.3f} of as much noise" if control else ""


def _barrier(evaluation: Evaluation) -> str:
    found = _merged(evaluation, "barrier_removed").get("aligned")
    if not found or found.value is None:
        return ""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == "barrier_removed" and ":" in row.split]
    most = max((row for row in rows if row.value is not None), key=lambda row: row.n, default=None)
    among = f"; {100 * (most.value or 0.0):.1f} % among the {most.n} of {most.split.partition(':')[2]}" if most else ""
    removed = f"{100 * found.value:.1f} % of the loss barrier of plain averages"
    parts = _of_parts(_merged(evaluation, "barrier_removed"), ".1%").replace("%", " %")
    return f"Matching that training inputs help, and repair, remove {removed} ({found.n} pairs){among}{parts}."


def _of_parts(known: dict[str, Result], form: str) -> str:
    """What less than all of it reaches, where that was measured."""
    parts = [f"{words} {known[name].value:{form}}" for name, words in _PARTS.items() if name in known]
    return f"; {', '.join(parts)}" if parts else ""


def _merged(evaluation: Evaluation, metric: str) -> dict[str, Result]:
    """The first row of every method: that of all pairs."""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == metric and row.value is not None]
    return {row.encoder: row for row in reversed(rows)}


def _more(one: Result, other: Result) -> str:
    """By the errors of both; where one is not known, two numbers merely stand beside each other."""
    gap = (one.value or 0.0) - (other.value or 0.0)
    known = [row for row in (one, other) if row.error is not None or row.spread is not None]
    if len(known) < 2 and abs(gap) >= SAME:
        return "beside"
    noise = LEVEL * math.hypot(*map(error_of, known)) if known else 0.0
    return "no different from" if abs(gap) < max(SAME, noise) else "above" if gap > 0 else "below"
