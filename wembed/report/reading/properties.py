"""What else weights tell: other numbers than accuracy, and categories, beside what is reached without looking."""

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import best, main_encoder, targets
from wembed.report.reading.phrases import with_error

_METRICS = ("accuracy", "tau/tau_max")  # of categories, of numbers
_WITHOUT = "majority"  # a baseline, or a metric, that says what the commonest answer reaches


def property_sentences(evaluation: Evaluation) -> list[str]:
    """One for each target but accuracy, on held-out runs."""
    found = [_sentence(evaluation, target, metric) for target in targets(evaluation.results) for metric in _METRICS]
    return [sentence for sentence in found if sentence]


def _sentence(evaluation: Evaluation, target: str, metric: str) -> str:
    main = main_encoder(evaluation)
    rows = [row for row in evaluation.results if (row.target, row.metric, row.split) == (target, metric, "test")]
    rows = [row for row in rows if row.value is not None]
    own = next((row for row in rows if row.encoder == main), None)
    other = max((row for row in rows if row.encoder not in (main, _WITHOUT)), key=_value, default=None)
    if not own:
        return ""
    measure = "tells" if metric == "accuracy" else "orders"
    words = f"{measure} {target} of {own.n} checkpoints with {_METRIC_WORDS[metric]} {with_error(own)}"
    beside = f", the best baseline, {other.encoder}, with {with_error(other)}" if other else ""
    return f"{main} {words}{beside}{_majority(evaluation, rows, target)}."


def _majority(evaluation: Evaluation, rows: list[Result], target: str) -> str:
    named = next((row for row in rows if row.encoder == _WITHOUT), None)
    own = [row for row in evaluation.results if (row.target, row.metric, row.split) == (target, _WITHOUT, "test")]
    found = named or best(own, _WITHOUT)
    return f"; the commonest answer alone reaches {found.value:.3f}" if found and found.value is not None else ""


def _value(row: Result) -> float:
    return row.value or 0.0


_METRIC_WORDS = {"accuracy": "accuracy", "tau/tau_max": "tau / tau max"}
