"""Intervals of several stated coverages."""

import numpy as np
import pytest

from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.prediction.accuracy import prediction_results, sample_of
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
    assert (found.encoder, found.split) == ("stats", "test")
    assert set(found.levels) < set(LEVELS)  # there are too few calibration runs for the others
    assert list(found.coverages) == sorted(found.coverages)
    assert 0 < found.coverages[0] < found.coverages[-1]


def test_coverages_are_means_over_the_fits(material, stats):
    truth, everyone = numeric_truths(material.rows)[0], np.ones(len(material.rows), dtype=bool)
    sides = material.side("test")
    one, both = (fit(material, stats, truth, Fitting(seeds, everyone, 40, levels=(0.5,))) for seeds in ((0,), (0, 1)))
    held = both.held[0.5][sides]
    assert set(np.unique(held)) <= {0.0, 0.5, 1.0}
    assert (held == 0.5).any()
    assert (held[one.held[0.5][sides] == 1] >= 0.5).all()


def test_without_enough_calibration_runs_there_is_no_coverage(material, stats):
    truth, sides = numeric_truths(material.rows)[0], material.side("test")
    fitted = fit(material, stats, truth, Fitting((0,), np.ones(len(material.rows), dtype=bool), 40))
    assert not fitted.is_bounded
    rows = prediction_results("stats", fitted, sample_of(material, truth, sides, "test", 0))
    values = {row.metric: row.value for row in rows}
    assert values["coverage"] is values["interval_width"] is None
    assert values["mse"] is not None


def test_the_main_encoder_and_statistics_are_looked_at_on_both_splits(foretold):
    assert {(each.encoder, each.split) for each in foretold.calibration} == {
        (name, split) for name in ("fingerprint", "stats") for split in ("test", "zero-shot")
    }
