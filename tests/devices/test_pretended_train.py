"""Training on a pretended CUDA device: the whole step, forward and back, in both precisions, for every encoder."""

import math

import pytest
from pretended import pretended_cuda

from wembed.training import TrainOptions, select_data, train
from wembed.zoo import open_items

DEVICE = "cuda:0"
MODEL_TYPES = ("gnn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pna", "mlp", "pca-mlp")))
SMALL = {"hidden_dim": 8, "global_dim": 16, "message_passing_steps": 1, "probes": 8, "views": 2, "components": 4}


def trained(zoo, folder, **changes):
    options = TrainOptions(**({"batch_size": 16, "num_epochs": 1} | SMALL | changes))
    return train(select_data(zoo.rows(), options), lambda rows: open_items(zoo, rows), options, folder).history


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_training_in_bfloat16_stays_on_the_device(zoo, tmp_path, monkeypatch, model_type):
    with pretended_cuda(monkeypatch):
        history = trained(zoo, tmp_path, model_type=model_type, device=DEVICE, precision="bfloat16")
    assert all(math.isfinite(epoch.validation_loss) for epoch in history)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_training_on_a_device_in_full_precision_is_that_on_the_cpu(zoo, tmp_path, monkeypatch, model_type):
    expected = trained(zoo, tmp_path / "cpu", model_type=model_type)
    with pretended_cuda(monkeypatch):
        history = trained(zoo, tmp_path / "cuda", model_type=model_type, device=DEVICE)
    for found, epoch in zip(history, expected, strict=True):
        assert found.validation_loss == pytest.approx(epoch.validation_loss, rel=1e-4)
