"""What the one module says and does where there is no device, and what it says of devices that are there."""

from contextlib import nullcontext

import pytest
import torch

from wembed import device
from wembed.device import (
    autocast,
    collective_backend,
    deterministic,
    full_precision,
    gpus_for,
    inference,
    is_out_of_memory,
    memory,
    rank_device,
    resolve_device,
    synchronise,
    to_device,
    workers_for,
)
from wembed.errors import UsageError, WembedError


@pytest.mark.parametrize(
    ("cuda", "mps", "found"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")], ids=["cuda", "mps", "none"]
)
def test_auto_is_the_fastest_there_is(monkeypatch, cuda, mps, found):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert resolve_device("auto") == found


def test_a_numbered_device_is_found_where_there_are_enough(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert resolve_device("cuda:1") == "cuda:1"


def test_a_number_of_a_device_that_nobody_can_have_is_one_clear_line():
    with pytest.raises(UsageError) as error:
        resolve_device("cuda:" + "9" * 5000)
    assert error.value.message.startswith("unknown device 'cuda:999")
    assert len(error.value.message) < 100


def test_a_device_that_is_counted_and_can_not_be_used_is_none(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)  # by the driver's library, whatever torch can do with it
    with pytest.raises(WembedError, match="device cuda is not available, found 0 cuda devices"):
        resolve_device("cuda")


def test_what_torch_warns_of_while_it_looks_for_devices_is_not_shown(monkeypatch, recwarn):
    def count() -> int:
        import warnings

        warnings.warn("the driver is too old", stacklevel=1)
        return 0

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", count)
    assert resolve_device("auto") in ("cpu", "mps")
    assert not recwarn


def test_every_process_of_a_machine_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [rank_device(0), rank_device(1)] == ["cuda:0", "cuda:1"]


def test_processes_share_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert rank_device(3) == "cpu"


def test_more_processes_than_devices_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(WembedError) as refused:
        rank_device(2)
    assert refused.value.message == "process 2 of this machine has no device, found 2 cuda devices"
    assert refused.value.hint == "start at most 2 processes on this machine"


@pytest.mark.parametrize(("name", "backend"), [("cuda:1", "nccl"), ("cpu", "gloo"), (torch.device("cuda"), "nccl")])
def test_collectives_are_those_of_the_device(name, backend):
    assert collective_backend(name) == backend


def test_the_cpu_runs_without_autocast():
    assert isinstance(autocast("cpu"), nullcontext)


def test_a_device_without_bfloat16_runs_without_autocast(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert isinstance(autocast("cuda"), nullcontext)


def test_what_is_on_the_device_is_not_copied():
    values = torch.ones(3)
    assert to_device(values, "cpu") is values


def test_a_batch_moves_its_own_tensors():
    class Batch:
        def to(self, there: torch.device) -> torch.device:
            return there

    assert to_device(Batch(), "meta") == torch.device("meta")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_out_of_memory_is_known_however_it_is_said(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of memory")])
def test_other_errors_are_not_taken_for_out_of_memory(error):
    assert not is_out_of_memory(error)


def test_the_machine_has_memory():
    found = memory("cpu")
    assert 0 < found.free <= found.total
    assert 0 < found.peak <= found.total


def test_waiting_for_the_cpu_is_no_error():
    synchronise("cpu")


def test_deterministic_mode_ends_where_it_began(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_full_precision_ends_where_it_began():
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_inference_needs_no_gradient():
    with inference():
        assert torch.is_inference_mode_enabled()
        assert not torch.backends.cudnn.allow_tf32


def test_a_gpu_is_one_process_s_and_the_cpu_s_cores_have_one_each(monkeypatch):
    monkeypatch.setattr(device, "available_cores", lambda: 6)
    assert (workers_for("cpu"), workers_for("cuda:0")) == (6, 1)


def test_a_process_on_cuda_needs_one_gpu():
    assert [gpus_for(name) for name in ("cpu", "auto", "cuda", "cuda:3")] == [0, 0, 1, 1]
