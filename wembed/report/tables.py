"""Rows of results in; Markdown tables out: a line per encoder, a column per metric, the best in bold."""

from collections.abc import Iterable, Mapping, Sequence

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import RECALLS, best, direction, is_control, names, rows_of, splits

REFERENCES = ("endpoints",)  # what merging starts from competes with nothing
_PREDICTION = ("tau", "tau/tau_max", "spearman", "r2", "mse", "coverage", "interval_width")
MAIN_METRICS: Mapping[str, tuple[str, ...]] = {
    "retrieval-noised": RECALLS,
    "retrieval-snapshot": RECALLS,
    "prediction": _PREDICTION,
    "zero-shot": _PREDICTION,
    "accuracy": ("tau_difference", "tau_difference_low", "tau_difference_high", "tau_difference_above_0"),
    "merging": ("midpoint_accuracy", "loss_barrier", "barrier_removed"),
}
_HEADS = {
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "mrr": "MRR",
    "r2": "R²",
    "mse": "MSE",
    "tau/tau_max": "tau / tau max",
    "tau_difference": "difference of tau / tau max",
    "tau_difference_low": "95 %, from",
    "tau_difference_high": "to",
    "tau_difference_above_0": "share of draws above 0",
}
_ARROWS = {1: "↑", -1: "↓", 0: ""}
_FINE = ("mse",)  # small numbers, which need more decimals
_NOT_APPLICABLE = "n/a"
_PLUS_MINUS = " ± "


def main_results(evaluation: Evaluation) -> list[Result]:
    """The rows that a person looks for first: those of the main metrics, over all of a task."""
    wholes = {task: splits(rows_of(evaluation, task))[:1] for task in MAIN_METRICS}
    return [row for row in evaluation.results if row.metric in MAIN_METRICS[row.task] and row.split in wholes[row.task]]


def result_table(rows: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    """The lines of a table of one task and split, for those of the metrics that some row has."""
    shown = [metric for metric in metrics if any(row.metric == metric for row in rows)]
    chosen = [row for row in rows if row.metric in shown]
    cells = {(row.encoder, row.metric): _cell(row) for row in chosen}
    bold = {metric: _best_cell(rows, metric) for metric in shown}
    body = []
    for name in names(chosen):
        values = [_marked(name, cells.get((name, metric), ""), bold[metric]) for metric in shown]
        body.append([name, *values, count_text(row.n for row in chosen if row.encoder == name)])
    return text_table(["encoder", *(head(metric) for metric in shown), "n"], body)


def split_table(rows: Sequence[Result], metric: str) -> list[str]:
    """The lines of a table of one metric: a line per split, a column per encoder."""
    chosen = [row for row in rows if row.metric == metric]
    everyone, body = names(chosen), []
    for split in splits(chosen):
        part = {row.encoder: row for row in chosen if row.split == split}
        bold = _best_cell(list(part.values()), metric)
        values = [_marked(name, _cell(part[name]), bold) if name in part else "" for name in everyone]
        body.append([split.partition(":")[2] or split, *values, count_text(row.n for row in part.values())])
    return text_table([head(metric), *everyone, "n"], body)


def text_table(heads: Sequence[str], body: Sequence[Sequence[str]], rule: str = "---:") -> list[str]:
    """A Markdown table; the rule says how columns but the first stand, right if nothing is said."""
    lines = [heads, ["---", *(rule for _ in heads[1:])], *body]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def head(metric: str) -> str:
    """A metric's name as people write it, with an arrow to where it is better."""
    return f"{_HEADS.get(metric, metric.replace('_', ' '))} {_ARROWS[direction(metric)]}".strip()


def count_text(numbers: Iterable[int]) -> str:
    """How many, or from how many to how many."""
    found = sorted(set(numbers))
    return "0" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _cell(row: Result) -> str:
    if row.value is None:
        return _NOT_APPLICABLE
    decimals = 5 if row.metric in _FINE else 3
    error = "" if row.error is None else f"{_PLUS_MINUS}{row.error:.{decimals}f}"
    return f"{row.value:.{decimals}f}{error}"


def _best_cell(rows: Sequence[Result], metric: str) -> str | None:
    if not direction(metric):
        return None
    competing = [row for row in rows if row.encoder not in REFERENCES]
    found = best(competing, metric)
    return _cell(found) if found else None


def _marked(name: str, cell: str, best_cell: str | None) -> str:
    competes = name not in REFERENCES and not is_control(name)
    number, plus_minus, error = cell.partition(_PLUS_MINUS)
    is_best = competes and best_cell is not None and number == best_cell.partition(_PLUS_MINUS)[0]
    return f"**{number}**{plus_minus}{error}" if is_best else cell
