"""How encoders were trained, as their folders keep it."""

import pytest

from wembed.catalog import Zoo
from wembed.evaluate.training_curves import training_curves
from wembed.training.history import Epoch, write_log


def epoch(number, contrastive, accuracy, best):
    return Epoch(number, contrastive, accuracy, 0.5, 0.2, 2.5, 1e-3, 1.0, 100.0, 1.0 * number, best)


@pytest.fixture
def zoo(tmp_path):
    zoo = Zoo.create(tmp_path / "zoo")
    folder = zoo.root / "encoders" / "gnn"
    folder.mkdir(parents=True)
    write_log(folder, [epoch(1, 1.0, 0.3, True), epoch(2, 0.5, 0.1, True), epoch(3, 0.4, 0.1, False)])
    return zoo


def test_a_curve_tells_losses_and_the_epoch_that_was_kept(zoo):
    (curve,) = training_curves(zoo, ["gnn", "fingerprint"])
    assert (curve.encoder, curve.epochs, curve.chosen) == ("gnn", (1, 2, 3), 2)
    assert curve.validation == (2.5, 2.5, 2.5)
    assert curve.loss == pytest.approx((4.0, 1.5, 1.4))  # (2.5 - 0.5) / 0.2 = 10: what training weighs accuracies by


def test_an_encoder_without_a_log_has_no_curve(zoo):
    assert training_curves(zoo, ["stats"]) == []


def test_a_folder_is_as_good_as_a_name(zoo):
    assert training_curves(zoo, [str(zoo.root / "encoders" / "gnn")])
