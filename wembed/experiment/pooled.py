"""Evaluations of one protocol under several seeds in; their mean out, with the spread over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from wembed.evaluate import Evaluation, Result

# Ends of intervals and shares of draws: their means are no ends and no shares of the mean.
_NOT_POOLED = ("_low", "_high", "_above_0")


def pooled(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The means of what all seeds have a number for; maps, curves and single predictions are those of the first seed.

    Args:
        evaluations: one per seed, each of a zoo and a split of its own.
    """
    first = evaluations[0]
    if len(evaluations) == 1:
        return first
    tables = [{_key(row): row for row in one.results if not row.metric.endswith(_NOT_POOLED)} for one in evaluations]
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    rows = [_mean([table[key] for table in tables]) for key in shared]
    return replace(first, results=rows, facts=_facts(evaluations, len(set().union(*tables)) - len(shared)))


def _key(row: Result) -> tuple[str, ...]:
    return row.task, row.encoder, row.metric, row.split, row.target


def _mean(rows: Sequence[Result]) -> Result:
    values = [row.value for row in rows if row.value is not None]
    known = len(values) == len(rows)
    return replace(
        rows[0], value=statistics.fmean(values) if known else None, n=sum(row.n for row in rows), error=None, seed=None,
        encoder_id="", data="", low=None, high=None, seeds=len(rows),
        spread=statistics.stdev(values) if known else None,
    )  # fmt: skip


def _facts(evaluations: Sequence[Evaluation], lacking: int) -> dict[str, object]:
    """What all seeds say alike, and what each says of itself."""
    names = dict.fromkeys(name for one in evaluations for name in one.facts)
    facts: dict[str, object] = {}
    for name in names:
        said = [one.facts.get(name) for one in evaluations]
        alike = all(each == said[0] for each in said)
        facts[name] = said[0] if alike else {f"run {number}": each for number, each in enumerate(said)}
    return facts | {
        "pooled over seeds": [one.facts.get("seed") for one in evaluations],
        "maps, curves, calibration and single predictions": "those of the first seed",
        "rows that only some seeds have, left out": lacking,
    }
