"""Predictions with intervals of several stated coverages in; how often these hold the truth out."""

from wembed.evaluate.prediction.accuracy import Sample
from wembed.evaluate.prediction.fits import Fitted
from wembed.evaluate.results import Calibration

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def calibration(name: str, fitted: Fitted, sample: Sample) -> Calibration:
    """Stated against measured coverage.

    Args:
        name: of the encoder or baseline.
        fitted: its predictions, with intervals of LEVELS.
        sample: held-out checkpoints, of which it knows all.
    """
    levels = tuple(sorted(fitted.held))
    return Calibration(
        name, sample.split, levels, tuple(float(fitted.held[level][sample.mask].mean()) for level in levels)
    )
