"""The tasks of an evaluation in words: where each stands in a report, what is asked, and which metrics come first."""

from collections.abc import Mapping
from dataclasses import dataclass

from wembed.report.lookup import RECALLS

_PREDICTION = ("tau/tau_max", "tau", "tau within cells", "spearman", "r2", "mse", "mae", "coverage", "interval_width")
_DIFFERENCES = ("tau_difference", "tau_difference_low", "tau_difference_high", "tau_difference_above_0")
FURTHER = "further"


@dataclass(frozen=True)
class Wording:
    """How a report speaks of a task.

    Args:
        section: of the report, where it stands.
        note: what is asked, and of what.
        aim: what is to be found, in words; "" where nothing is looked for.
        metrics: those that stand first; () for all.
    """

    section: str
    note: str
    aim: str = ""
    metrics: tuple[str, ...] = ()


SECTIONS: Mapping[str, str] = {
    "map": "Map",
    "training": "Training",
    "retrieval": "Retrieval",
    "prediction": "Accuracy from weights",
    "zero-shot": "Accuracy on a data set never seen",
    "held-out": "Accuracy on parts of the zoo never seen",
    "targets": "Other properties from weights",
    "robustness": "Invariance and robustness",
    "merging": "Merging",
    FURTHER: "Further tasks",
}
_RETRIEVALS: Mapping[str, tuple[str, str]] = {
    "retrieval-snapshot": (
        "the run of an earlier snapshot",
        "Query: an earlier snapshot of a held-out run, its neurons permuted and rescaled. To be found: the last "
        "snapshot of that run, among those of all runs.",
    ),
    "retrieval-noised": (
        "the origin of a copy with weight noise",
        "Query: a held-out checkpoint with weight noise, its neurons permuted and rescaled. To be found: the "
        "checkpoint itself, among all of the zoo.",
    ),
    "retrieval-lineage": (
        "the parent of a child",
        "Query: a checkpoint of a held-out family that was made from another one, its neurons permuted and rescaled. "
        "To be found: that parent, among strangers, their children and twins.",
    ),
    "retrieval-lineage-kin": (
        "the parent of a child, among its kin",
        "The same queries, among all other checkpoints: siblings, grandchildren and the parent's own run too.",
    ),
    "retrieval-dataset": (
        "networks trained on the same data set, of other architectures",
        "Query: the last snapshot of a held-out run. To be found: runs on its data set, among those of architectures "
        "other than its own, so that shape gives nothing away. Several are right: mAP beside Recall@k.",
    ),
    "retrieval-architecture": (
        "networks of the same kind of architecture, on other data sets",
        "Query: the last snapshot of a held-out run. To be found: runs of its kind of architecture, among those on "
        "data sets other than its own. Several are right: mAP beside Recall@k.",
    ),
}
_WORDINGS: Mapping[str, Wording] = {
    "retrieval": Wording(
        "retrieval", "Two rows of the tables above on the same draws of whole runs (paired bootstrap): how many more "
        "queries the first answers at once.",
    ),
    "prediction": Wording(
        "prediction",
        "Fitted on training runs, settled on validation runs, measured on test runs; the same for every row.",
        metrics=_PREDICTION,
    ),
    "accuracy": Wording(
        "prediction",
        "Two rows of the table above on the same draws of test runs (paired bootstrap): how much more of the order "
        "the first tells.",
        metrics=_DIFFERENCES,
    ),
    "zero-shot": Wording(
        "zero-shot", "The same predictors, on networks of a data set that is in no training run.", metrics=_PREDICTION
    ),
    "classification": Wording("targets", "What the checkpoints are told apart by, from their weights."),
    "invariance": Wording("robustness", "What permuting and rescaling, which no network's output notices, changes."),
    "robustness": Wording("robustness", "What damage to the weights changes."),
    "merging": Wording(
        "merging", "Pairs of held-out networks of one shape, trained independently.",
        metrics=("midpoint_accuracy", "loss_barrier", "barrier_removed"),
    ),
}  # fmt: skip


def wording(task: str) -> Wording:
    """How a report speaks of a task; of one that it does not know, by its name."""
    if task in _RETRIEVALS:
        aim, note = _RETRIEVALS[task]
        return Wording("retrieval", note, aim, (*RECALLS, "map"))
    if task.startswith("retrieval-"):
        named = task.removeprefix("retrieval-").replace("-", " ")
        return Wording("retrieval", "", f"what is asked for in {named!r}", (*RECALLS, "map"))
    return _WORDINGS.get(task, Wording(FURTHER, ""))
