"""What was predicted: how well accuracy is ordered, where the scale holds, and what is left on shuffled labels."""

import math

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import (
    HELD_OUT,
    TEST,
    ZERO_SHOT,
    bare,
    best,
    best_baseline,
    find,
    is_control,
    main_encoder,
    over_seeds,
    rows_of,
    shape_split,
    splits,
    value,
)
from wembed.report.reading.paired import paired_sentence
from wembed.report.reading.phrases import LEVEL, SAME, where, with_error

_PREDICTION = "prediction"
_SHARE = "tau/tau_max"


def prediction_sentences(evaluation: Evaluation) -> list[str]:
    """On held-out runs, on the sealed data set, and on parts that were held out."""
    shape = shape_split(evaluation)
    found = [
        _named("Accuracy of", _ordering(evaluation, _PREDICTION, TEST)),
        paired_in_words(evaluation, TEST),
        paired_in_words(evaluation, shape) if shape else "",
        _control(evaluation),
        _coverage(evaluation, _PREDICTION, TEST),
        _zero_shot(evaluation),
        paired_in_words(evaluation, ZERO_SHOT),
        _coverage(evaluation, ZERO_SHOT, ZERO_SHOT),
        _held_out(evaluation),
    ]
    return [sentence for sentence in found if sentence]


def paired_in_words(evaluation: Evaluation, split: str) -> str:
    """Whom the main encoder orders better than, and whom not."""
    said = paired_sentence(evaluation, _PREDICTION, split)
    return f"{where(split)}, order of accuracy (tau / tau max): t{said[1:]}" if said else ""


def _named(start: str, text: str) -> str:
    return f"{start} {text}" if text else ""


def _zero_shot(evaluation: Evaluation) -> str:
    text = _ordering(evaluation, ZERO_SHOT, ZERO_SHOT)
    return f"On a data set that no training network saw, accuracy of {text}{_use(evaluation)}" if text else ""


def _use(evaluation: Evaluation) -> str:
    """What predictions on the sealed data set are good for, where their scale is off."""
    main = main_encoder(evaluation)
    r2, tau = (find(evaluation, ZERO_SHOT, main, metric, ZERO_SHOT) for metric in ("r2", "tau"))
    if not r2 or r2.value is None or r2.value >= 0 or not tau or tau.value is None:
        return ""
    ends = over_seeds(tau) if tau.low is None and tau.error is None else None
    low = ends[0] if ends else tau.low if tau.low is not None else tau.value - LEVEL * (tau.error or 0.0)
    if low > 0:
        return " Its scale is off (R² below 0): only the order of networks can be used there."
    return " Neither its scale (R² below 0) nor its order says anything there."


def _ordering(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    own, other = find(evaluation, task, main, "tau", split), best_baseline(evaluation, task, "tau", split)
    if not own or own.value is None:
        return ""
    start = f"{own.n} checkpoints: {main} reaches Kendall's tau {with_error(own)}{_of_largest(evaluation, own)}"
    if not other or other.value is None:
        return f"{start}."
    gap = own.value - other.value
    verdict = "the same" if abs(gap) < SAME else f"{abs(gap):.3f} {'less' if gap > 0 else 'more'}"
    is_level = own.error and other.error and abs(gap) < LEVEL * math.hypot(own.error, other.error)
    noise = ", within two standard errors" if is_level else ""
    return f"{start}, the best baseline, {other.encoder}, {with_error(other)}, which is {verdict}{noise}."


def _of_largest(evaluation: Evaluation, own: Result) -> str:
    share = value(evaluation, own.task, own.encoder, _SHARE, own.split)
    return f", {100 * share:.1f} % of the largest possible" if share is not None else ""


def _control(evaluation: Evaluation) -> str:
    rows = [row for row in rows_of(evaluation, _PREDICTION, TEST) if row.metric == "tau" and is_control(row.encoder)]
    known = [row for row in rows if row.value is not None]
    if not known:
        return ""
    largest = max(known, key=lambda row: abs(row.value or 0.0))
    chance = math.sqrt(2 * (2 * largest.n + 5) / (9 * largest.n * (largest.n - 1))) if largest.n > 1 else 1.0
    among = f" at most, that of {largest.encoder.partition(' (')[0]} among {len(known)}" if len(known) > 1 else ""
    return (
        f"With shuffled labels tau is {largest.value:.3f}{among}; for {largest.n} independent checkpoints chance alone "
        f"has a standard deviation of {chance:.3f}, and snapshots of one run are not independent."
    )


def _coverage(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    share, width = (value(evaluation, task, main, metric, split) for metric in ("coverage", "interval_width"))
    if share is None:
        return ""
    spread = f"; they are {width:.2f} wide on average" if width is not None else ""
    place = "there" if task == ZERO_SHOT else "of " + main
    stated = evaluation.facts.get("stated coverage of intervals")
    aim = f", {100 * stated:.0f} % are stated" if isinstance(stated, float) else ""
    return f"The intervals {place} hold {100 * share:.1f} % of the true accuracies{aim}{spread}."


def _held_out(evaluation: Evaluation) -> str:
    """From where to where the main encoder gets on parts of the zoo, and on how many it is best."""
    main = main_encoder(evaluation)
    rows = [row for row in evaluation.results if row.split.startswith(HELD_OUT) and row.target in ("", "accuracy")]
    rows = [row for row in rows if row.metric == _SHARE and row.value is not None]
    own = sorted((row for row in rows if bare(row.encoder) == main), key=lambda row: row.value or 0.0)
    if not own:
        return ""
    parts = [part for part in splits(rows) if any(row.split == part for row in own)]
    winners = [best((row for row in rows if row.split == part), _SHARE) for part in parts]
    won = sum(1 for winner in winners if winner and bare(winner.encoder) == main)
    seen = sum(1 for row in own if row.encoder != main)
    least, most = own[0], own[-1]
    return (
        f"On {len(parts)} parts of the zoo that were held out, {main} reaches tau / tau max from {least.value:.3f} "
        f"({_part(least)}) to {most.value:.3f} ({_part(most)}), and is the best on {won} of them"
        + (f"; on {seen} of them only its regression did not see them." if seen else ".")
    )


def _part(row: Result) -> str:
    return row.split.removeprefix(HELD_OUT).strip()
