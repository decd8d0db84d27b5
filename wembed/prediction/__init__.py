"""Embeddings of checkpoints with known accuracies in; the accuracies of others out, with intervals."""

from wembed.prediction.domain import fitted_structures, withhold
from wembed.prediction.examples import Examples
from wembed.prediction.intervals import COVERAGE
from wembed.prediction.learned import learned_part
from wembed.prediction.predictor import MIN_RUNS, Predictions, Predictor, TooFewRunsError, fit_predictor
from wembed.prediction.rows import check_accuracies, fit_on_rows, known_split

__all__ = [
    "COVERAGE",
    "MIN_RUNS",
    "Examples",
    "Predictions",
    "Predictor",
    "TooFewRunsError",
    "check_accuracies",
    "fit_on_rows",
    "fit_predictor",
    "fitted_structures",
    "known_split",
    "learned_part",
    "withhold",
]
