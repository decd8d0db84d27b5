"""Steps in pieces: the same gradient in less memory, by wish or because memory ran out."""

from dataclasses import replace

import pytest
import torch

from wembed.encoder.readout import GnnModule
from wembed.errors import WembedError
from wembed.training import TrainOptions, select_data, train
from wembed.zoo import open_items

SMALL = TrainOptions(hidden_dim=8, global_dim=16, message_passing_steps=1, batch_size=16, num_epochs=1, views=2)

FEW = 56  # rows: what is tried here does not depend on their number


def trained(zoo, folder, options=SMALL, warn=lambda text: None):
    data = select_data(zoo.rows()[:FEW], options)
    return train(data, lambda rows: open_items(zoo, rows), options, folder, warn=warn)


def losses(done):
    return [(epoch.contrastive, epoch.accuracy, epoch.validation_loss, epoch.gradient_norm) for epoch in done.history]


@pytest.fixture(scope="module")
def whole(zoo, tmp_path_factory):
    return losses(trained(zoo, tmp_path_factory.mktemp("whole") / "gnn"))


@pytest.fixture
def small_device(monkeypatch):
    """A device whose memory suffices for so many networks, on the way there or on the way back."""

    def limit(networks: int, on_the_way: str = "there") -> None:
        seen = GnnModule._seen

        def full(*given):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

        def limited(module, batch):
            found = seen(module, batch)
            if module.training and len(found) > networks:
                if on_the_way == "there":
                    full()
                elif found.requires_grad:
                    found.register_hook(full)
            return found

        monkeypatch.setattr(GnnModule, "_seen", limited)

    return limit


@pytest.mark.parametrize("parts", [3, 20])
def test_a_step_in_parts_has_the_gradient_of_the_whole(parts, whole, zoo, tmp_path):
    done = trained(zoo, tmp_path / "gnn", replace(SMALL, accumulate=parts))
    assert torch.allclose(torch.tensor(losses(done)), torch.tensor(whole), rtol=1e-5)


@pytest.mark.parametrize("on_the_way", ["there", "back"])
def test_when_memory_runs_out_a_step_is_run_in_smaller_parts_and_that_is_said(
    on_the_way, whole, zoo, small_device, tmp_path
):
    small_device(6, on_the_way)
    said = []
    done = trained(zoo, tmp_path / "gnn", warn=said.append)
    assert torch.allclose(torch.tensor(losses(done)), torch.tensor(whole), rtol=1e-5)
    assert said[0].startswith("out of memory on cpu: at most ")
    assert said[0].endswith(" networks are run at once now, a step in 2 parts")
    assert len(said) < 5


def test_a_device_that_is_too_small_for_one_network_is_one_clear_line(zoo, small_device, tmp_path):
    small_device(0)
    with pytest.raises(WembedError) as error:
        trained(zoo, tmp_path / "gnn")
    assert error.value.message == "out of memory on cpu, with one network at a time"
    assert "--hidden-dim" in error.value.hint


def test_any_other_error_of_a_device_stays_what_it_is(zoo, monkeypatch, tmp_path):
    def broken(*given):
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(GnnModule, "_seen", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        trained(zoo, tmp_path / "gnn")


def test_networks_that_would_fill_the_device_come_when_they_are_drawn(whole, zoo, monkeypatch, tmp_path):
    monkeypatch.setattr("wembed.training.pool._SHARE", 0.0)
    assert losses(trained(zoo, tmp_path / "gnn")) == whole
