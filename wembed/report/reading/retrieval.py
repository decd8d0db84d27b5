"""What was found: how often the main encoder puts the right one first, and who does so more or less often."""

import math

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import CHANCE, best_baseline, find, is_asked, main_encoder, retrieval_tasks, rows_of, splits
from wembed.report.reading.paired import against, paired_sentence
from wembed.report.reading.phrases import LEVEL, SAME, error_of, percent, where
from wembed.report.tasks import wording

_FIRST = "recall@1"


def retrieval_sentences(evaluation: Evaluation) -> list[str]:
    """One for each task and split."""
    found = [
        _sentence(evaluation, task, split)
        for task in retrieval_tasks(evaluation)
        for split in splits(rows_of(evaluation, task))
        if is_asked(evaluation, task, split)
    ]
    return [sentence for sentence in found if sentence]


def _sentence(evaluation: Evaluation, task: str, split: str) -> str:
    main = main_encoder(evaluation)
    own, other = find(evaluation, task, main, _FIRST, split), best_baseline(evaluation, task, _FIRST, split)
    start = f"{where(split)}, finding {wording(task).aim}:"
    if not own or not other:
        there = own or other
        return f"{start} {there.encoder} comes first in {percent(there)} of {there.n} queries." if there else ""
    chance = find(evaluation, task, CHANCE, _FIRST, split)
    by_chance = f", chance in {100 * (chance.value or 0.0):.1f} %" if chance else ""
    told = (
        f"{start} {main} puts the right one first in {percent(own)} of {own.n} queries, the best baseline, "
        f"{other.encoder}, in {percent(other)}{by_chance}: {_verdict(evaluation, own, other)}."
    )
    return f"{told} {paired_sentence(evaluation, task, split)}".strip()


def _verdict(evaluation: Evaluation, own: Result, other: Result) -> str:
    main, gap = own.encoder, (own.value or 0.0) - (other.value or 0.0)
    ahead = f"{main} is {'ahead' if gap > 0 else 'behind'} by {100 * abs(gap):.1f} points"
    paired = against(evaluation, own.task, own.split, other.encoder)
    if paired:
        return f"{main} is level with it" if paired.low <= 0 <= paired.high else ahead
    if abs(gap) < max(SAME, LEVEL * math.hypot(error_of(own), error_of(other))):
        return f"{main} is level with it, within two standard errors"
    return ahead
