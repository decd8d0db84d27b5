"""Rows of results in; Markdown tables out: a line per encoder, a column per metric, the best in bold.

Beside a number stands its 95 % interval, or its standard error where no interval is known.
"""

from collections.abc import Iterable, Sequence

from wembed.evaluate.results import Evaluation, Result
from wembed.report.headline import Headline
from wembed.report.lookup import ACCURACY, best, direction, is_control, names, rows_of, splits, tasks
from wembed.report.tasks import wording
from wembed.report.words import in_one_line

# What merging starts from, what is no one network, and its controls compete with nothing.
REFERENCES = ("endpoints", "ensemble", "naive, repaired", "noise", "aligned, as much noise as embedding moves")
_HEADS = {
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "mrr": "MRR",
    "r2": "R²",
    "mse": "MSE",
    "tau/tau_max": "tau / tau max",
    "map": "mAP",
    "mae": "MAE",
    "tau_difference": "difference of tau / tau max",
    "recall@1_difference": "difference of Recall@1",
    "tau_difference_low": "95 %, from",
    "tau_difference_high": "to",
    "tau_difference_above_0": "share of draws above 0",
}
_ARROWS = {1: "↑", -1: "↓", 0: ""}
_FINE = ("mse",)  # small numbers, which need more decimals
_OF_ANY_SIZE = ("largest_change", "median_change", "nearest_stranger")  # from 1e-17 to 1: digits that count
_NOT_APPLICABLE = "n/a"
_PLUS_MINUS = " ± "
_OPEN = " ["


def main_results(evaluation: Evaluation) -> list[Result]:
    """The rows that a person looks for first: those of the main metrics, over all of a task."""
    wholes = {task: splits(rows_of(evaluation, task))[:1] for task in tasks(evaluation)}
    return [
        row
        for row in evaluation.results
        if row.metric in wording(row.task).metrics and row.split in wholes[row.task] and row.target in ("", ACCURACY)
    ]


def headline_table(evaluation: Evaluation, headline: Headline) -> list[str]:
    """The lines of a headline table, the best of each column in bold."""
    columns = []
    for question in headline.questions:
        cells = {name: question.answer(evaluation, name) for name in headline.encoders}
        bold = _best_cell([row for row in cells.values() if row], question.metric)
        columns.append([_marked(name, cell_text(row) if row else _NOT_APPLICABLE, bold) for name, row in cells.items()])
    heads = [f"{question.head}: {question.below}" for question in headline.questions]
    return text_table(["encoder", *heads], [list(line) for line in zip(headline.encoders, *columns, strict=True)])


def result_table(rows: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    """The lines of a table of one task and split, for those of the metrics that some row has."""
    shown = [metric for metric in metrics if any(row.metric == metric for row in rows)]
    chosen = [row for row in rows if row.metric in shown]
    cells = {(row.encoder, row.metric): cell_text(row) for row in chosen}
    bold = {metric: _best_cell(rows, metric) for metric in shown}
    body = []
    for name in names(chosen):
        values = [_marked(name, cells.get((name, metric), ""), bold[metric]) for metric in shown]
        body.append([name, *values, count_text(row.n for row in chosen if row.encoder == name)])
    return text_table(["encoder", *(head(metric) for metric in shown), "n"], body)


def metric_table(rows: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    """The lines of a table of one task and split, turned: a line per metric, a column per encoder."""
    everyone, body = names(rows), []
    for metric in metrics:
        found = {row.encoder: row for row in rows if row.metric == metric}
        bold = _best_cell(list(found.values()), metric)
        values = [_marked(name, cell_text(found[name]), bold) if name in found else "" for name in everyone]
        body.append([head(metric), *values, count_text(row.n for row in found.values())])
    return text_table(["measure", *everyone, "n"], body)


def split_table(rows: Sequence[Result], metric: str) -> list[str]:
    """The lines of a table of one metric: a line per split, a column per encoder."""
    chosen = [row for row in rows if row.metric == metric]
    everyone, body = names(chosen), []
    for split in splits(chosen):
        part = {row.encoder: row for row in chosen if row.split == split}
        bold = _best_cell(list(part.values()), metric)
        values = [_marked(name, cell_text(part[name]), bold) if name in part else "" for name in everyone]
        body.append([split.partition(":")[2] or split, *values, count_text(row.n for row in part.values())])
    return text_table([head(metric), *everyone, "n"], body)


def text_table(heads: Sequence[str], body: Sequence[Sequence[str]], rule: str = "---:") -> list[str]:
    """A Markdown table; the rule says how columns but the first stand, right if nothing is said."""
    lines = [heads, ["---", *(rule for _ in heads[1:])], *body]
    return ["| " + " | ".join(map(_safe, line)) + " |" for line in lines]


def head(metric: str) -> str:
    """A metric's name as people write it, with an arrow to where it is better."""
    return f"{_HEADS.get(metric, metric.replace('_', ' '))} {_ARROWS[direction(metric)]}".strip()


def count_text(numbers: Iterable[int]) -> str:
    """How many, or from how many to how many."""
    found = sorted(set(numbers))
    return "0" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def cell_text(row: Result) -> str:
    """A number as people read it, with its interval or its error; of a mean over seeds, with its spread."""
    if row.value is None:
        return _NOT_APPLICABLE
    form = ".2g" if row.metric in _OF_ANY_SIZE else ".5f" if row.metric in _FINE else ".3f"
    value = f"{row.value:{form}}"
    if row.low is not None and row.high is not None:
        return f"{value}{_OPEN}{row.low:{form}}, {row.high:{form}}]"
    beside = row.spread if row.error is None else row.error
    return value if beside is None else f"{value}{_PLUS_MINUS}{beside:{form}}"


def _best_cell(rows: Sequence[Result], metric: str) -> str | None:
    if not direction(metric):
        return None
    found = best((row for row in rows if row.encoder not in REFERENCES), metric)
    return cell_text(found) if found else None


def _marked(name: str, cell: str, best_cell: str | None) -> str:
    competes = name not in REFERENCES and not is_control(name)
    number = _number(cell)
    is_best = competes and best_cell is not None and number == _number(best_cell)
    return f"**{number}**{cell[len(number) :]}" if is_best else cell


def _safe(cell: str) -> str:
    """A cell that ends neither its column nor its line."""
    return in_one_line(cell).replace("|", "\\|")


def _number(cell: str) -> str:
    """A cell without its interval or its error."""
    return cell.partition(_PLUS_MINUS)[0].partition(_OPEN)[0]
