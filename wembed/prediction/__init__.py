"""Embeddings of checkpoints of which something is known in; the same of others out, with intervals."""

from wembed.prediction.answers import Answer, Fitted
from wembed.prediction.classifier import Classified, Classifier, fit_classifier
from wembed.prediction.examples import Examples, Kinds
from wembed.prediction.intervals import COVERAGE, runs_needed
from wembed.prediction.kept import FOLDER, kept_or_fitted
from wembed.prediction.learned import learned_part
from wembed.prediction.predictor import Predictions, Predictor, fit_predictor
from wembed.prediction.regression import Limits
from wembed.prediction.rows import Ground, fit_target, kin_of, kinds_of, known_split
from wembed.prediction.sides import MIN_RUNS, TooFewRunsError
from wembed.prediction.targets import ACCURACY, Target, architecture_family, find_target, known_targets
from wembed.prediction.transfer import Transfer

__all__ = [
    "ACCURACY",
    "COVERAGE",
    "FOLDER",
    "MIN_RUNS",
    "Answer",
    "Classified",
    "Classifier",
    "Examples",
    "Fitted",
    "Ground",
    "Kinds",
    "Limits",
    "Predictions",
    "Predictor",
    "Target",
    "TooFewRunsError",
    "Transfer",
    "architecture_family",
    "find_target",
    "fit_classifier",
    "fit_predictor",
    "fit_target",
    "kept_or_fitted",
    "kin_of",
    "kinds_of",
    "known_split",
    "known_targets",
    "learned_part",
    "runs_needed",
]
