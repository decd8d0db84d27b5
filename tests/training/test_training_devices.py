"""How a training is run: without waiting for the device, in mixed precision, compiled, deterministic."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wembed.encoder.gnn import Gnn
from wembed.training import TrainOptions, epochs_before, select_data, train
from wembed.training.descent import Descent
from wembed.zoo import open_items

SMALL = TrainOptions(hidden_dim=8, global_dim=16, message_passing_steps=1, batch_size=16, num_epochs=1, views=2)
FEW = 56  # rows: what is tried here does not depend on their number
# What makes the processor wait for a device: a number, a size or a place that only the device knows.
WAITS = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "bincount", "unique", "masked_select", "equal")


def trained(zoo, folder, options=SMALL, report=lambda epoch: None):
    return train(
        select_data(zoo.rows()[:FEW], options), lambda rows: open_items(zoo, rows), options, folder, report=report
    )


class Waits(TorchDispatchMode):
    """Counts what a device would have to be waited for."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        name = operator.name().removeprefix("aten::").partition(".")[0]
        if name.startswith(WAITS) or (name.startswith("index") and any(map(is_mask, arguments[1:2]))):
            self.seen.append(name)
        return operator(*arguments, **(keywords or {}))


def is_mask(index):
    return any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in index or ())


@pytest.mark.parametrize("model_type", ["gnn", "pca-mlp"])
def test_no_step_waits_for_the_device(model_type, zoo, monkeypatch, tmp_path):
    step, move = Descent.step, torch.optim.AdamW.step
    counted, taken = [], []

    def counting(self, *given):
        with Waits() as waits:
            found = step(self, *given)
        counted.extend(waits.seen)
        taken.append(given)
        return found

    def uncounted(self, *given):  # its own count of steps lies on the CPU, whatever the device
        with torch.utils._python_dispatch._disable_current_modes():
            return move(self, *given)

    monkeypatch.setattr(Descent, "step", counting)
    monkeypatch.setattr(torch.optim.AdamW, "step", uncounted)
    trained(zoo, tmp_path / "encoder", replace(SMALL, model_type=model_type, num_epochs=1))
    assert taken
    assert counted == []


def test_the_count_of_waits_finds_them():
    values = torch.arange(4.0)
    with Waits() as waits:
        values.sum().item()
        values[values > 1]
        values.nonzero()
    assert waits.seen == ["_local_scalar_dense", "index", "nonzero"]


def test_losses_of_an_epoch_are_read_once(zoo, monkeypatch, tmp_path):
    read = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda values: read.append(values.shape) or tolist(values))
    trained(zoo, tmp_path / "gnn", replace(SMALL, num_epochs=1))
    assert len([shape for shape in read if len(shape) == 2]) == 2  # of the training steps, of the validation steps


def test_mixed_precision_keeps_weights_and_losses_in_full(zoo, monkeypatch, tmp_path):
    full = trained(zoo, tmp_path / "full")
    used = []

    def autocast(device):
        used.append(device)
        return torch.autocast("cpu", dtype=torch.bfloat16)

    monkeypatch.setattr("wembed.training.runner.autocast", autocast)
    mixed = trained(zoo, tmp_path / "mixed", replace(SMALL, precision="bfloat16"))
    assert used
    assert all(value.dtype == torch.float32 for value in mixed.encoder.module.state_dict().values())
    assert mixed.history != full.history
    first, second = (done.history[-1].contrastive for done in (full, mixed))
    assert second == pytest.approx(first, rel=0.05)


def test_another_precision_is_another_training_but_how_it_is_run_is_not(zoo, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(epoch):
        raise StoppedError

    with pytest.raises(StoppedError):
        trained(zoo, tmp_path, report=stop)
    data = select_data(zoo.rows()[:FEW], SMALL)
    assert epochs_before(tmp_path, data, replace(SMALL, accumulate=4, deterministic=True, device="cuda:1")) == 1
    assert epochs_before(tmp_path, data, replace(SMALL, precision="bfloat16")) == 0


def test_deterministic_algorithms_are_asked_for_while_it_trains_only(zoo, tmp_path):
    seen = []
    options = replace(SMALL, num_epochs=1, deterministic=True)
    trained(zoo, tmp_path / "gnn", options, lambda epoch: seen.append(torch.are_deterministic_algorithms_enabled()))
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_dropout_draws_what_torch_would(zoo, tmp_path):
    done = trained(zoo, tmp_path / "gnn", replace(SMALL, num_epochs=1, objective="accuracy"))
    values = torch.ones(5, 7)
    from wembed.training.dropout import SharedDropout, draw_mask

    torch.manual_seed(0)
    expected = torch.nn.functional.dropout(values, 0.5, training=True)
    torch.manual_seed(0)
    mask = draw_mask(SharedDropout(0.5), 5, (7,), torch.device("cpu"))
    assert torch.equal(values * mask, expected)
    assert np.isfinite(done.history[0].gradient_norm)
    assert set(done.encoder.module.state_dict()) == set(Gnn(done.encoder.config).module.state_dict())


@pytest.mark.slow  # compiles for a minute
def test_a_compiled_encoder_learns_the_same(zoo, tmp_path, record_property):
    plain, compiled = (
        trained(zoo, tmp_path / str(is_compiled), replace(SMALL, compile=is_compiled)) for is_compiled in (False, True)
    )
    pairs = [
        (one.validation_loss, other.validation_loss) for one, other in zip(plain.history, compiled.history, strict=True)
    ]
    difference = max(abs(one - other) / one for one, other in pairs)
    record_property("relative difference of compiled losses", difference)
    assert difference < 1e-3
