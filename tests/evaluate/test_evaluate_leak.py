"""The leak test: what is fitted on labels that mean nothing predicts nothing, whatever the features."""

import numpy as np
import pytest

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.prediction.accuracy import sample_of
from wembed.evaluate.prediction.baselines import width_only
from wembed.evaluate.prediction.fits import fit
from wembed.evaluate.prediction.shuffled import SHUFFLES, shuffled_results
from wembed.evaluate.prediction.targets import numeric_truths


@pytest.mark.parametrize("name", ["fingerprint", "stats", "hyperparameters", "name and config", "width"])
def test_shuffled_labels_leave_a_tau_near_zero(foretold_value, name):
    found = foretold_value("prediction", f"{name} (shuffled labels)", "tau")
    assert abs(found.value) < 4 * found.error
    assert found.low <= found.value <= found.high


def test_every_encoder_and_baseline_has_its_control(foretold):
    rows = [row for row in foretold.results if row.task == "prediction" and row.split == "test"]
    fitted = {row.encoder for row in rows if row.value is not None and "(shuffled" not in row.encoder}
    assert {row.encoder for row in rows if "(shuffled" in row.encoder} == {
        f"{name} (shuffled labels)" for name in fitted
    }


def test_labels_are_dealt_out_anew_on_each_side_and_nowhere_else(material, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "wembed.evaluate.prediction.shuffled.fit", lambda *given: seen.append(given[2].values) or fit(*given)
    )
    target = numeric_truths(material.rows)[0]
    features = Vectors(width_only(material.rows), np.ones(len(material.rows), dtype=bool))
    sample = sample_of(material, target, material.side("test"), "test", 0)
    list(shuffled_results(material, "width", features, target, sample, 0))
    assert len(seen) == SHUFFLES
    for side in ("train", "validation"):
        mask = material.side(side)
        assert not np.array_equal(seen[0][mask], target.values[mask])
        assert np.array_equal(np.sort(seen[0][mask]), np.sort(target.values[mask]))
    assert np.array_equal(seen[0][sample.mask], sample.true)
