"""Where a training runs that is asked for, and who a process is among those that a launcher started."""

import pytest
import torch

from wembed.errors import UsageError, WembedError
from wembed.training.distributed import ALONE, Membership, PeerLostError, Ranks, current_ranks, joined, own_place
from wembed.training.distributed.placement import Placement, device_of, placed

TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node-0", "MASTER_PORT": "1234",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
    "SLURM_JOB_ID": "123456",
}  # fmt: skip


def test_a_process_that_no_launcher_started_is_alone():
    assert own_place({}) is None
    assert current_ranks() == ALONE
    assert ALONE.is_first


def test_torchrun_says_who_a_process_is():
    assert own_place(TORCHRUN) == Membership(3, 4, 1, "node-0", 1234)


def test_srun_says_who_a_process_is_and_where_the_first_one_listens():
    assert own_place(SRUN) == Membership(5, 8, 1, "10.0.0.7", 29956)
    assert own_place({**SRUN, "MASTER_ADDR": "node-0", "MASTER_PORT": "1"}) == Membership(5, 8, 1, "node-0", 1)


def test_the_script_that_starts_steps_is_alone_and_so_is_a_single_task():
    script = {name: value for name, value in SRUN.items() if name != "SLURM_STEP_NUM_TASKS"}
    assert own_place({**script, "SLURM_NTASKS": "8"}) is None
    assert own_place({**SRUN, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}) is None
    assert own_place({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": "first"}, "a launcher's variables are no numbers"),
        ({"MASTER_PORT": ""}, "a launcher's variables are no numbers"),
        ({"RANK": "4"}, "a launcher's variables contradict each other: rank 4 of 4 processes"),
    ],
)
def test_variables_of_no_launcher_are_one_clear_line(changes, message):
    with pytest.raises(UsageError) as error:
        own_place({**TORCHRUN, **changes})
    assert error.value.message.startswith(message)
    assert "\n" not in error.value.message


def test_processes_that_are_not_there_are_one_clear_line(monkeypatch):
    def refused(place):
        raise RuntimeError("The client socket has timed out\nafter 600 s")

    monkeypatch.setattr("wembed.training.distributed.membership._store", refused)
    with pytest.raises(WembedError) as error, joined(own_place(TORCHRUN), "cpu"):
        pass
    assert error.value.message == "process 3 of 4 could not meet the others at 'node-0' port 1234"
    assert "MASTER_ADDR" in error.value.hint


def test_a_process_that_is_gone_is_one_clear_line(monkeypatch):
    def gone(*given):
        raise RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc] Connection closed by peer")

    monkeypatch.setattr("torch.distributed.all_reduce", gone)
    with pytest.raises(PeerLostError) as error:
        Ranks(0, 2).add_up([torch.zeros(2)])
    assert error.value.message == "another process of the training is gone, or does not answer"
    assert error.value.hint == "the same command goes on from the last whole epoch"


def test_several_processes_may_share_the_processor():
    assert placed("cpu", "3", {}) == Placement("cpu", 3, None)
    assert placed("cpu", "all", {}) == Placement("cpu", 1, None)
    assert placed("cpu", "1", TORCHRUN) == Placement("cpu", 1, own_place(TORCHRUN))


@pytest.fixture
def four_devices(monkeypatch):
    def counts():
        return {"cuda": 4, "mps": 0}

    monkeypatch.setattr("wembed.device.device_counts", counts)
    monkeypatch.setattr("wembed.training.distributed.placement.device_counts", counts)


def test_each_process_has_a_device_of_its_own(four_devices):
    assert placed("auto", "1", {}) == Placement("cuda", 1, None)
    assert placed("cuda", "all", {}) == Placement("cuda", 4, None)
    assert placed("auto", "2", {}) == Placement("cuda", 2, None)
    assert placed("cuda:2", "1", {}) == Placement("cuda:2", 1, None)
    assert placed("cuda", "1", TORCHRUN).device == "cuda:1"
    assert device_of(own_place(TORCHRUN), "cpu") == "cpu"


@pytest.mark.parametrize(
    ("device", "devices", "environment", "kind", "message"),
    [
        ("cuda", "5", {}, WembedError, "--devices 5 is more than there are, found 4 cuda devices"),
        ("cuda:1", "2", {}, UsageError, "--devices 2 and --device cuda:1 contradict each other"),
        ("cpu", "0", {}, UsageError, "--devices '0': expected a number from 1, or all"),
        ("cpu", "two\x1b", {}, UsageError, "--devices 'two\\x1b': expected a number from 1, or all"),
        ("cpu", "2", TORCHRUN, UsageError, "--devices '2' in one of 4 processes that a launcher has started"),
    ],
)
def test_what_cannot_be_had_is_one_clear_line(four_devices, device, devices, environment, kind, message):
    with pytest.raises(kind) as error:
        placed(device, devices, environment)
    assert error.value.message == message


def test_networks_of_a_structure_are_dealt_out_evenly_and_each_has_one_owner():
    ranks = Ranks(0, 3)
    assert [ranks.owners(7, 1).tolist(), ranks.owners(1, 2).tolist()] == [[1, 2, 0, 1, 2, 0, 1], [2]]
