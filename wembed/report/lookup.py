"""An evaluation in; out the numbers that a figure, a table or a sentence is about: who is compared with whom."""

from collections.abc import Iterable

from wembed.evaluate.results import Evaluation, Result

MAIN = "gnn"
TEST = "test"
RETRIEVAL = {
    "retrieval-snapshot": "the run of an earlier snapshot",
    "retrieval-noised": "the origin of a copy with weight noise",
}
RECALLS = ("recall@1", "recall@5", "recall@10", "mrr")
_LOWER_IS_BETTER = ("mse", "mae", "loss_barrier")
_HIGHER_IS_BETTER = (
    "mrr", "r2", "spearman", "tau", "tau/tau_max", "tau within cells", "midpoint_accuracy", "barrier_removed",
)  # fmt: skip


def find(evaluation: Evaluation, task: str, encoder: str, metric: str, split: str) -> Result | None:
    """One number, or None where it wasn't measured or doesn't apply."""
    for result in evaluation.results:
        if (result.task, result.encoder, result.metric, result.split) == (task, encoder, metric, split):
            return result if result.value is not None else None
    return None


def value(evaluation: Evaluation, task: str, encoder: str, metric: str, split: str = TEST) -> float | None:
    """One number's value, or None."""
    found = find(evaluation, task, encoder, metric, split)
    return found.value if found else None


def rows_of(evaluation: Evaluation, task: str, split: str | None = None) -> list[Result]:
    """The rows of a task, of one split if it is given."""
    return [result for result in evaluation.results if result.task == task and split in (None, result.split)]


def is_control(name: str) -> bool:
    """Whether a row shows what chance reaches, and competes with nothing."""
    return "shuffled" in name


def names(results: Iterable[Result]) -> list[str]:
    """The encoders of some rows, in the order in which they come first."""
    return list(dict.fromkeys(result.encoder for result in results))


def splits(results: Iterable[Result]) -> list[str]:
    """The splits of some rows, in the order in which they come first."""
    return list(dict.fromkeys(result.split for result in results))


def main_encoder(evaluation: Evaluation) -> str:
    """The encoder that the others stand beside."""
    said, found = evaluation.facts.get("main encoder"), names(evaluation.results)
    return str(said) if said else MAIN if MAIN in found or not found else found[0]


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is; 0 for what says how a thing is and not how good."""
    if metric in _HIGHER_IS_BETTER or metric.startswith("recall@"):
        return 1
    return -1 if metric in _LOWER_IS_BETTER else 0


def best(results: Iterable[Result], metric: str) -> Result | None:
    """The row with the best value of a metric; controls don't compete."""
    found = [row for row in results if row.metric == metric and row.value is not None and not is_control(row.encoder)]
    return max(found, key=lambda row: direction(metric) * (row.value or 0.0), default=None)


def best_baseline(evaluation: Evaluation, task: str, metric: str, split: str = TEST) -> Result | None:
    """The best of all but the main encoder."""
    main = main_encoder(evaluation)
    return best((row for row in rows_of(evaluation, task, split) if row.encoder != main), metric)
