"""Evaluations of one protocol under several seeds in; their mean out, with the spread over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from wembed.evaluate import Evaluation, Result


def pooled(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The means of what all seeds have a number for; maps, curves and single predictions are those of the first seed.

    Args:
        evaluations: one per seed, each of a zoo and a split of its own.
    """
    first = evaluations[0]
    if len(evaluations) == 1:
        return first
    tables = [{_key(row): row for row in one.results} for one in evaluations]
    rows = [_mean([table[key] for table in tables]) for key in tables[0] if all(key in table for table in tables)]
    seeds = [one.facts.get("seed") for one in evaluations]
    return replace(first, results=rows, facts=first.facts | {"pooled over seeds": seeds})


def _key(row: Result) -> tuple[str, ...]:
    return row.task, row.encoder, row.metric, row.split, row.target


def _mean(rows: Sequence[Result]) -> Result:
    values = [row.value for row in rows if row.value is not None]
    count = sum(row.n for row in rows)
    if len(values) < len(rows):
        return replace(rows[0], value=None, n=count, error=None, low=None, high=None, seeds=len(rows))
    spread = statistics.stdev(values)
    return replace(
        rows[0], value=statistics.fmean(values), n=count, error=spread / len(rows) ** 0.5, low=None, high=None,
        seed=None, seeds=len(rows), spread=spread,
    )  # fmt: skip
