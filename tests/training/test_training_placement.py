"""Where a training runs that is asked for, and who a process is among those that a launcher started."""

import os
import signal
import socket

import pytest
import torch

from wembed.errors import UsageError, WembedError
from wembed.training.distributed import (
    ALONE,
    Membership,
    PeerLostError,
    Ranks,
    current_ranks,
    joined,
    meeting,
    own_place,
    speaks_first,
)
from wembed.training.distributed.placement import Placement, device_of, placed

TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node-0", "MASTER_PORT": "1234",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
    "SLURM_JOB_ID": "123456", "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "node[007-008]",
}  # fmt: skip


def test_a_process_that_no_launcher_started_is_alone():
    assert own_place({}) is None
    assert current_ranks() == ALONE
    assert ALONE.is_first


def test_torchrun_says_who_a_process_is():
    assert own_place(TORCHRUN) == Membership(3, 4, 1, "node-0", 1234)


def test_srun_says_who_a_process_is_and_the_first_host_of_its_step_where_they_meet():
    assert own_place(SRUN) == Membership(5, 8, 1, "node007", 29636)
    assert own_place({**SRUN, "MASTER_ADDR": "node-0", "MASTER_PORT": "1"}) == Membership(5, 8, 1, "node-0", 1)


def test_two_steps_of_a_job_meet_at_two_ports():
    first, second = own_place(SRUN), own_place({**SRUN, "SLURM_STEP_ID": "1"})
    assert first.port != second.port


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("login", "login"),
        ("gpu1,gpu2", "gpu1"),
        ("node-[007-012,020],login", "node-007"),
        ("tux[3,5-7]-ib", "tux3-ib"),
        ("rack[1-2]node[04-09],x", "rack1node04"),
    ],
)
def test_the_first_host_of_a_list_of_slurm_is_read(hosts, first):
    assert own_place({**SRUN, "SLURM_STEP_NODELIST": hosts}).address == first


def test_the_shell_and_the_script_that_start_steps_are_alone_and_so_is_a_single_task():
    script = {name: value for name, value in SRUN.items() if not name.startswith("SLURM_STEP_")}
    assert own_place({**script, "SLURM_NTASKS": "8"}) is None
    assert own_place({**script, "SLURM_STEP_NUM_TASKS": "8"}) is None
    assert own_place({**SRUN, "SLURM_STEP_ID": "4294967290"}) is None  # the shell of salloc
    assert own_place({**SRUN, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}) is None
    assert own_place({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}) is None
    assert own_place({"RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    ("environment", "missing", "message"),
    [
        (TORCHRUN, "MASTER_ADDR", "RANK is set, MASTER_ADDR is not"),
        (TORCHRUN, "MASTER_PORT", "RANK is set, MASTER_PORT is not"),
        (SRUN, "SLURM_STEP_NODELIST", "SLURM_PROCID is set, SLURM_STEP_NODELIST is not"),
    ],
)
def test_what_a_launcher_does_not_say_is_never_guessed(environment, missing, message):
    with pytest.raises(UsageError) as error:
        own_place({name: value for name, value in environment.items() if name != missing})
    assert error.value.message == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": "first"}, "a launcher's variables are no numbers"),
        ({"MASTER_PORT": ""}, "a launcher's variables are no numbers"),
        ({"RANK": "4"}, "a launcher's variables contradict each other: rank 4 of 4 processes"),
        ({"MASTER_PORT": "65536"}, "a launcher's variables are out of range"),
    ],
)
def test_variables_of_no_launcher_are_one_clear_line(changes, message):
    with pytest.raises(UsageError) as error:
        own_place({**TORCHRUN, **changes})
    assert error.value.message.startswith(message)
    assert "\n" not in error.value.message


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(("rank", "missing"), [(0, "2 other processes"), (1, "2 other processes")])
def test_who_waits_for_others_says_so_and_gives_up_in_one_clear_line(monkeypatch, free_port, rank, missing, capfd):
    monkeypatch.setattr(meeting, "_QUIET", 0.0)
    monkeypatch.setattr(meeting, "_PATIENCE", 0.3)
    said = []
    with (
        pytest.raises(WembedError) as error,
        joined(Membership(rank, 3, 0, "127.0.0.1", free_port), "cpu", said.append),
    ):
        pass
    assert said == [f"waiting for {missing} at '127.0.0.1' port {free_port}"]
    assert error.value.message == f"process {rank} of 3 could not meet the others at '127.0.0.1' port {free_port}"
    assert "MASTER_ADDR" in error.value.hint
    assert capfd.readouterr().err == ""


def test_a_port_that_is_in_use_is_one_clear_line(free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        with pytest.raises(WembedError) as error, joined(Membership(0, 2, 0, "127.0.0.1", free_port), "cpu"):
            pass
    assert error.value.message == f"port {free_port} of '127.0.0.1' is in use"
    assert error.value.hint == "set MASTER_PORT to one that is free"


@pytest.mark.parametrize("rank", [0, 1])
def test_who_waits_for_others_can_be_interrupted(monkeypatch, free_port, rank):
    monkeypatch.setattr(meeting, "_QUIET", 0.0)

    def interrupt(text):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), joined(Membership(rank, 2, 0, "127.0.0.1", free_port), "cpu", interrupt):
        pass


def test_before_they_have_met_another_process_speaks_only_while_the_first_is_there(monkeypatch, free_port):
    monkeypatch.setattr(meeting, "_SHORT", 0.2)
    first, second = ({**TORCHRUN, "RANK": rank, "MASTER_ADDR": "127.0.0.1"} for rank in "01")
    first["MASTER_PORT"] = second["MASTER_PORT"] = str(free_port)
    assert speaks_first(first)
    assert not speaks_first(second)
    monkeypatch.setattr(meeting, "_SHORT", 5.0)
    kept = meeting._opened(own_place(first))
    assert speaks_first(second)
    assert not speaks_first(second)
    del kept


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


@pytest.mark.parametrize("own", [{"SLURM_GPUS_PER_TASK": "1"}, {"SLURM_TRES_PER_TASK": "cpu=4,gres/gpu=1"}])
def test_a_task_that_sees_its_own_device_alone_has_that(own, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert placed("cuda", "1", {**SRUN, "SLURM_LOCALID": "3", **own}).device == "cuda:0"
    with pytest.raises(WembedError, match="process 3 of this machine has no device"):
        placed("cuda", "1", {**SRUN, "SLURM_LOCALID": "3"})


def test_a_task_that_sees_all_devices_has_one_of_its_own_though_slurm_gave_it_one(four_devices):
    environment = {**SRUN, "SLURM_LOCALID": "3", "SLURM_GPUS_PER_TASK": "1"}  # with --gpu-bind none
    assert placed("cuda", "1", environment).device == "cuda:3"


@pytest.mark.parametrize(
    ("device", "devices", "environment", "kind", "message"),
    [
        ("cuda", "5", {}, WembedError, "--devices 5 is more than there are, found 4 cuda devices"),
        ("cuda:1", "2", {}, UsageError, "--devices 2 and --device cuda:1 contradict each other"),
        ("cpu", "0", {}, UsageError, "--devices '0': expected a number from 1 to 9999, or all"),
        ("cpu", "two\x1b", {}, UsageError, "--devices 'two\\x1b': expected a number from 1 to 9999, or all"),
        ("cpu", "9" * 5000, {}, UsageError, f"--devices '{'9' * 40}...': expected a number from 1 to 9999, or all"),
        ("cpu", "9999", {}, WembedError, "--devices 9999 is more than 4 processes for each of 2 cores"),
        ("cuda:1", "1", TORCHRUN, UsageError, "--device cuda:1 in one of 4 processes that a launcher has started"),
        ("cpu", "2", TORCHRUN, UsageError, "--devices '2' in one of 4 processes that a launcher has started"),
    ],
)
def test_what_cannot_be_had_is_one_clear_line(monkeypatch, four_devices, device, devices, environment, kind, message):
    monkeypatch.setattr("wembed.training.distributed.placement.available_cores", lambda: 2)
    with pytest.raises(kind) as error:
        placed(device, devices, environment)
    assert error.value.message == message


def test_networks_of_a_structure_are_dealt_out_evenly_and_each_has_one_owner():
    ranks = Ranks(0, 3)
    assert [ranks.owners(7, 1).tolist(), ranks.owners(1, 2).tolist()] == [[1, 2, 0, 1, 2, 0, 1], [2]]
