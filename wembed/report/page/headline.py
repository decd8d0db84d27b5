"""An evaluation in; its headline tables out: a row per encoder and baseline, a column per question, whole intervals."""

from wembed.evaluate.results import Evaluation, Result
from wembed.report.headline import Headline, Question, headlines
from wembed.report.lookup import best, interval, is_control, main_encoder
from wembed.report.page.text import NONE, escaped, shown


def headline_tables(evaluation: Evaluation) -> str:
    """The tables as elements of the page; a sentence where there is nothing to show."""
    found = headlines(evaluation)
    if not found:
        return '<p class="quiet">This evaluation holds no headline numbers.</p>'
    return "".join(_table(evaluation, headline) for headline in found)


def beside(row: Result) -> str:
    """What stands beside a number: its interval; of a mean over seeds, its spread."""
    ends = interval(row)
    if ends:
        return f"{shown(ends[0])} to {shown(ends[1])}"
    return "" if row.spread is None else f"± {shown(row.spread)}"


def _table(evaluation: Evaluation, headline: Headline) -> str:
    heads = "".join(
        f'<th scope="col" class="number">{escaped(one.head)}<small>{escaped(one.below)}</small></th>'
        for one in headline.questions
    )
    answers = {one: {name: one.answer(evaluation, name) for name in headline.encoders} for one in headline.questions}
    main = main_encoder(evaluation)
    rows = "".join(_row(answers, name, name == main) for name in headline.encoders)
    title = escaped(headline.title.replace("+", ", "))
    return (
        f"<h4>On {title}</h4>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Headline table, {title}">'
        f'<table class="sortable headline"><thead><tr><th scope="col">encoder</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(answers: dict[Question, dict[str, Result | None]], name: str, is_main: bool) -> str:
    kind = "main" if is_main else "control" if is_control(name) else ""
    cells = "".join(_cell(column, one.metric, name) for one, column in answers.items())
    return f'<tr class="{kind}"><th scope="row"><bdi>{escaped(name)}</bdi></th>{cells}</tr>'


def _cell(column: dict[str, Result | None], metric: str, name: str) -> str:
    result = column[name]
    if result is None or result.value is None:
        return f'<td class="number none">{NONE}</td>'
    said = beside(result)
    between = f"<small>{said}</small>" if said else ""
    first = best((row for row in column.values() if row), metric)
    is_best = first is not None and result.value == first.value and not is_control(name)
    marked = ' class="best"' if is_best else ""
    return (
        f'<td class="number" data-value="{result.value:.9g}"><span{marked}>{shown(result.value)}</span>{between}</td>'
    )
