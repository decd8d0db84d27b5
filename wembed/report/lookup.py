"""An evaluation in; out the numbers that a figure, a table or a sentence is about: who is compared with whom."""

import math
import re
from collections.abc import Iterable

from wembed.evaluate.results import Evaluation, Result

MAIN = "gnn"
TEST = "test"
ZERO_SHOT = "zero-shot"
HELD_OUT = "held-out"  # how the split of a part begins that no part of a predictor saw
HEAD_ONLY = "(head only)"  # stands after an encoder that was trained on networks of such a part
ACCURACY = "accuracy"  # the target of predictions that stands first
COMPARED = "retrieval"  # the task of comparing two retrievals; its target says which
CHANCE = "chance"
POOLED = "pooled over seeds"  # the name of a fact: numbers are means over seeds, each of a zoo of its own
RECALLS = ("recall@1", "recall@5", "recall@10", "mrr")
_RETRIEVAL = "retrieval-"
_CONTROLS = (CHANCE, "majority")
_SOME = re.compile(r"/\d+$")  # ends a split of so many queries or pairs only
_NORMAL = 1.96  # standard errors on either side that hold 95 %
_VARIANT = "-"  # between the name of an encoder and what was left out of it or changed
_UPPER = 0.975  # the quantile that ends a 95 % interval
_LOWER_IS_BETTER = ("mse", "mae", "loss_barrier")
_HIGHER_IS_BETTER = (
    "mrr", "map", "r2", "spearman", "tau", "tau/tau_max", "tau within cells", "accuracy", "balanced accuracy",
    "midpoint_accuracy", "barrier_removed",
)  # fmt: skip


def find(evaluation: Evaluation, task: str, encoder: str, metric: str, split: str) -> Result | None:
    """One number, or None where it wasn't measured or doesn't apply; of predictions, that on accuracy."""
    wanted = (task, encoder, metric, split)
    for result in evaluation.results:
        named = (result.task, result.encoder, result.metric, result.split)
        if named == wanted and result.target in ("", ACCURACY):
            return result if result.value is not None else None
    return None


def value(evaluation: Evaluation, task: str, encoder: str, metric: str, split: str = TEST) -> float | None:
    """One number's value, or None."""
    found = find(evaluation, task, encoder, metric, split)
    return found.value if found else None


def rows_of(evaluation: Evaluation, task: str, split: str | None = None, target: str = ACCURACY) -> list[Result]:
    """The rows of a task, of one split if it is given; of predictions, those of one target."""
    wanted = ("", ACCURACY) if target == ACCURACY else (target,)
    rows = (row for row in evaluation.results if row.task == task and row.target in wanted)
    return [row for row in rows if split in (None, row.split)]


def retrieval_tasks(evaluation: Evaluation) -> list[str]:
    """The tasks of finding something, in the order in which they come first."""
    return [task for task in tasks(evaluation) if task.startswith(_RETRIEVAL)]


def tasks(evaluation: Evaluation) -> list[str]:
    """All tasks, in the order in which they come first."""
    return list(dict.fromkeys(result.task for result in evaluation.results))


def targets(results: Iterable[Result]) -> list[str]:
    """What some rows predict beside accuracy, in the order in which they come first."""
    found = dict.fromkeys(row.target for row in results if row.task != COMPARED)
    return [target for target in found if target not in ("", ACCURACY)]


def is_control(name: str) -> bool:
    """Whether a row shows what chance reaches, and competes with nothing."""
    return "shuffled" in name or name in _CONTROLS


def is_variant(evaluation: Evaluation, name: str) -> bool:
    """Whether an encoder is the main one but for a part, which its name says: gnn-no-probes beside gnn."""
    return name.startswith(main_encoder(evaluation) + _VARIANT)


def is_asked(evaluation: Evaluation, task: str, split: str) -> bool:
    """Whether a retrieval can be got wrong: where chance alone is always right, nothing is compared."""
    chance = value(evaluation, task, CHANCE, RECALLS[0], split)
    return chance is None or chance < 1


def bare(name: str) -> str:
    """An encoder without what is said of it on one split."""
    return name.removesuffix(HEAD_ONLY).strip()


def names(results: Iterable[Result]) -> list[str]:
    """The encoders of some rows, in the order in which they come first."""
    return list(dict.fromkeys(result.encoder for result in results))


def splits(results: Iterable[Result]) -> list[str]:
    """The splits of some rows, in the order in which they come first."""
    return list(dict.fromkeys(result.split for result in results))


def shape_split(evaluation: Evaluation) -> str | None:
    """The split of those checkpoints whose one shape every encoder knows; None where there is none."""
    rows = [row for task in (*retrieval_tasks(evaluation), "prediction") for row in rows_of(evaluation, task)]
    return next((split for split in splits(rows) if split.startswith(f"{TEST}:") and not is_of_some(split)), None)


def is_of_some(split: str) -> bool:
    """Whether a split is of some queries or pairs, chosen since what is done with them takes long."""
    return bool(_SOME.search(split))


def main_encoder(evaluation: Evaluation) -> str:
    """The encoder that the others stand beside."""
    said, found = evaluation.facts.get("main encoder"), names(evaluation.results)
    return str(said) if said else MAIN if MAIN in found or not found else found[0]


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is; 0 for what says how a thing is and not how good."""
    if metric in _HIGHER_IS_BETTER or (metric.startswith("recall@") and not metric.endswith("_difference")):
        return 1
    return -1 if metric in _LOWER_IS_BETTER else 0


def interval(row: Result) -> tuple[float, float] | None:
    """The 95 % interval of a number: the bootstrap's where it is there, else what the standard error gives."""
    if row.value is None:
        return None
    if row.low is not None and row.high is not None:
        return row.low, row.high
    return None if row.error is None else (row.value - _NORMAL * row.error, row.value + _NORMAL * row.error)


def over_seeds(row: Result) -> tuple[float, float] | None:
    """The 95 % interval of a mean over seeds, by Student's t; None where there is no spread."""
    if row.value is None or row.spread is None or row.seeds < 2:
        return None
    from scipy.stats import t

    reach = float(t.ppf(_UPPER, row.seeds - 1)) * row.spread / math.sqrt(row.seeds)
    return row.value - reach, row.value + reach


def whiskers(row: Result) -> tuple[float, float] | None:
    """What a figure draws around a number: its 95 % interval; of a mean over seeds, one standard deviation."""
    if row.value is None or row.spread is None or interval(row):
        return interval(row)
    return row.value - row.spread, row.value + row.spread


def whisker_words(evaluation: Evaluation) -> str:
    """What `whiskers` are."""
    return "standard deviation over seeds" if POOLED in evaluation.facts else "95 % interval over whole runs"


def best(results: Iterable[Result], metric: str) -> Result | None:
    """The row with the best value of a metric; controls don't compete."""
    found = [row for row in results if row.metric == metric and row.value is not None and not is_control(row.encoder)]
    return max(found, key=lambda row: direction(metric) * (row.value or 0.0), default=None)


def best_baseline(evaluation: Evaluation, task: str, metric: str, split: str = TEST) -> Result | None:
    """The best of all but the main encoder and its variants."""
    main = main_encoder(evaluation)
    rows = (row for row in rows_of(evaluation, task, split) if row.encoder != main)
    return best((row for row in rows if not is_variant(evaluation, row.encoder)), metric)
