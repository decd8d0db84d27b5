"""Intervals of several stated coverages."""

import numpy as np
import pytest

from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.prediction.accuracy import sample_of
from wembed.evaluate.prediction.calibration import LEVELS, calibration
from wembed.evaluate.prediction.fits import Fitting, fit
from wembed.evaluate.prediction.targets import numeric_truths


@pytest.fixture(scope="module")
def stats(material) -> Vectors:
    return Vectors(Statistics().embed(material.items).astype(np.float64), np.ones(len(material.rows), dtype=bool))


def test_more_is_held_the_more_is_stated(material, stats):
    truth = numeric_truths(material.rows)[0]
    how = Fitting((0,), np.ones(len(material.rows), dtype=bool), levels=LEVELS)
    fitted = fit(material, stats, truth, how)
    found = calibration("stats", fitted, sample_of(material, truth, material.side("test"), "test", 0))
    assert (found.encoder, found.split, found.levels) == ("stats", "test", LEVELS)
    assert list(found.coverages) == sorted(found.coverages)
    assert found.coverages[-1] > 0.5


def test_the_main_encoder_and_statistics_are_looked_at_on_both_splits(foretold):
    assert {(each.encoder, each.split) for each in foretold.calibration} == {
        (name, split) for name in ("fingerprint", "stats") for split in ("test", "zero-shot")
    }
