"""An evaluation in; its headline table out: a row per encoder and baseline, a column per question, whole intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import TEST, ZERO_SHOT, find, interval, is_control, main_encoder, names, retrieval_tasks
from wembed.report.page.text import NONE, escaped, shown

_RANK = "tau/tau_max"
_FIRST = "recall@1"


@dataclass(frozen=True)
class Column:
    """One question, and what each encoder and baseline reaches.

    Args:
        head: what stands above it.
        below: in smaller letters under that.
        answers: encoder -> its number, in the order of the results; only of those that have one.
    """

    head: str
    below: str
    answers: Mapping[str, Result]

    @property
    def best(self) -> float | None:
        """The largest value; controls don't compete."""
        values = [row.value for name, row in self.answers.items() if row.value is not None and not is_control(name)]
        return max(values, default=None)


def headline_columns(evaluation: Evaluation) -> list[Column]:
    """The columns that some encoder has a number in."""
    asked = [("prediction", _RANK, TEST, "tau / tau max", "accuracy, test runs")]
    for task in retrieval_tasks(evaluation):
        asked.append((task, _FIRST, TEST, "Recall@1", task.removeprefix("retrieval-").replace("-", " ")))
    asked.append(("zero-shot", _RANK, ZERO_SHOT, "tau / tau max", "accuracy, unseen data set"))
    everyone = names(evaluation.results)
    columns = []
    for task, metric, split, head, below in asked:
        found = {name: find(evaluation, task, name, metric, split) for name in everyone}
        columns.append(Column(head, below, {name: row for name, row in found.items() if row is not None}))
    return [column for column in columns if column.answers]


def headline_table(evaluation: Evaluation) -> str:
    """The table as an element of the page; a sentence where there is nothing to show."""
    columns = headline_columns(evaluation)
    if not columns:
        return '<p class="quiet">This evaluation holds no headline numbers.</p>'
    heads = "".join(
        f'<th scope="col" class="number">{escaped(one.head)}<small>{escaped(one.below)}</small></th>' for one in columns
    )
    main = main_encoder(evaluation)
    found = dict.fromkeys(name for column in columns for name in column.answers)
    ranked = sorted(found, key=lambda name: (is_control(name), name != main))
    rows = "".join(_row(columns, name, name == main) for name in ranked)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Headline table"><table class="sortable headline">'
        f'<thead><tr><th scope="col">encoder</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(columns: Sequence[Column], name: str, is_main: bool) -> str:
    kind = "main" if is_main else "control" if is_control(name) else ""
    cells = "".join(_cell(column, name) for column in columns)
    return f'<tr class="{kind}"><th scope="row"><bdi>{escaped(name)}</bdi></th>{cells}</tr>'


def _cell(column: Column, name: str) -> str:
    result = column.answers.get(name)
    if result is None or result.value is None:
        return f'<td class="number none">{NONE}</td>'
    ends = interval(result)
    between = f"<small>{shown(ends[0])} to {shown(ends[1])}</small>" if ends else ""
    best = ' class="best"' if result.value == column.best and not is_control(name) else ""
    return f'<td class="number" data-value="{result.value:.9g}"><span{best}>{shown(result.value)}</span>{between}</td>'
