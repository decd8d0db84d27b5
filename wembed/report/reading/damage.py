"""What moves an embedding though nothing changed, and what is found of a damaged network."""

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import TEST, best_baseline, find, main_encoder, names, rows_of, shape_split, value
from wembed.report.reading.phrases import joined

_INVARIANCE, _ROBUSTNESS = "invariance", "robustness"
_DISTANCES = ("largest_change", "nearest_stranger")
_FOUND, _FAR = "recall@1 ", "moved_q99 "


def damage_sentences(evaluation: Evaluation) -> list[str]:
    """On invariance, on who lacks it, and on robustness."""
    found = [_invariance(evaluation), _movers(evaluation), _robustness(evaluation), _rounded(evaluation)]
    return [sentence for sentence in found if sentence]


def _invariance(evaluation: Evaluation) -> str:
    main = main_encoder(evaluation)
    change = find(evaluation, _INVARIANCE, main, "largest_change", TEST)
    stranger = value(evaluation, _INVARIANCE, main, "nearest_stranger")
    if not change or change.value is None:
        return ""
    beside = f"; the nearest stranger of any of them is {stranger:.2g} away" if stranger is not None else ""
    return (
        f"Permuting and rescaling {change.n} checkpoints changes the embedding of {main} by at most {change.value:.2g} "
        f"of its length{beside}."
    )


def _movers(evaluation: Evaluation) -> str:
    """Who moves further than its nearest stranger is away."""
    movers: dict[str, str] = {}
    for split in (TEST, shape_split(evaluation) or ""):
        for name in names(rows_of(evaluation, _INVARIANCE, split)):
            change, stranger = (value(evaluation, _INVARIANCE, name, metric, split) for metric in _DISTANCES)
            if change is not None and stranger is not None and change > stranger:
                movers.setdefault(name, f"{name} ({change:.2g} against {stranger:.2g})")
    if not movers:
        return ""
    return (
        f"Further than to the nearest stranger a mere permutation and rescaling moves {joined(list(movers.values()))}."
    )


def _robustness(evaluation: Evaluation) -> str:
    main = main_encoder(evaluation)
    rows = [row for row in rows_of(evaluation, _ROBUSTNESS, TEST) if row.encoder == main and row.value is not None]
    found = [row for row in rows if row.metric.startswith(_FOUND)]
    if not found:
        return ""
    shares = [f"{row.metric.removeprefix(_FOUND)} {_percent(row)}{_beside(evaluation, row)}" for row in found]
    return f"Of {found[0].n} damaged copies {main} finds the original first after {joined(shares)}."


def _beside(evaluation: Evaluation, own: Result) -> str:
    """The best baseline after the same damage."""
    other = best_baseline(evaluation, _ROBUSTNESS, own.metric)
    return f" ({other.encoder} {_percent(other)})" if other else ""


def _percent(row: Result) -> str:
    return f"{100 * (row.value or 0.0):.1f} %"


def _rounded(evaluation: Evaluation) -> str:
    main = main_encoder(evaluation)
    far = value(evaluation, _ROBUSTNESS, main, f"{_FAR}bf16")
    if far is None:
        return ""
    return (
        f"Rounding to bf16 moves 99 % of the embeddings of {main} by at most {100 * far:.1f} % of the distance to the "
        "nearest stranger."
    )
