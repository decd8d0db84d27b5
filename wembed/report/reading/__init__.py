"""Sentences that say what the numbers say, whoever wins; nothing here knows how an evaluation should come out."""

from wembed.evaluate.results import Evaluation
from wembed.report.lookup import POOLED
from wembed.report.reading.calibration import calibration_sentences
from wembed.report.reading.damage import damage_sentences
from wembed.report.reading.merging import merging_sentences
from wembed.report.reading.paired import verdict
from wembed.report.reading.phrases import share_error
from wembed.report.reading.prediction import prediction_sentences
from wembed.report.reading.properties import property_sentences
from wembed.report.reading.retrieval import retrieval_sentences
from wembed.report.words import in_one_line

__all__ = ["note_on_errors", "sentences", "share_error"]

_PARTS = (
    verdict, retrieval_sentences, prediction_sentences, calibration_sentences, property_sentences, damage_sentences,
    merging_sentences,
)  # fmt: skip


def sentences(evaluation: Evaluation) -> list[str]:
    """One for each thing that was measured, in the order of the tasks."""
    return [in_one_line(sentence) for part in _PARTS for sentence in part(evaluation)]


def note_on_errors(evaluation: Evaluation) -> str:
    """What stands beside numbers."""
    if POOLED in evaluation.facts:
        seeds = max((row.seeds for row in evaluation.results), default=1)
        return (
            "Numbers are means over seeds, each with a zoo and a split of its own: "
            f"± spread (standard deviation) over {seeds} seeds."
        )
    has_intervals = any(row.low is not None for row in evaluation.results)
    intervals = (
        "[a, b] is a 95 % interval: whole runs, or families of them, were drawn with replacement. "
        if has_intervals
        else ""
    )
    if any(row.error is not None for row in evaluation.results):
        return f"{intervals}± is one standard error, whole runs taken as independent."
    return intervals.strip() or "± is one standard error, as if queries were independent."
