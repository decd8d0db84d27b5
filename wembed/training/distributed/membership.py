"""The environment in; the place of this process among those of a training out.

torchrun, `wembed train --devices` and every other launcher of torch set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
MASTER_PORT; `srun` sets SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID and SLURM_STEP_NODELIST.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from wembed.errors import UsageError

_PORT = 29500  # torch's own default
_PORTS = 1000  # that jobs of one machine are spread over
_LAST_PORT = 65535
_STEPS = 31  # of a job, that have ports of their own


@dataclass(frozen=True)
class Membership:
    """The place of a process among those of a training.

    Args:
        rank: its number, from 0.
        count: of all processes.
        local_rank: its number among those of this machine.
        address: of the machine where they meet.
        port: there.
        has_own_devices: whether the launcher may have hidden the others' devices from it.
    """

    rank: int
    count: int
    local_rank: int
    address: str
    port: int
    has_own_devices: bool = False


def own_place(environment: Mapping[str, str] = os.environ) -> Membership | None:
    """The place that a launcher has given this process; None where there is none, or only this one.

    Raises:
        UsageError: the launcher's variables are incomplete, or no numbers.
    """
    given = _of_torch(environment) or _of_slurm(environment)
    if given is None:
        return None
    try:
        rank, count, local_rank, port = (int(given[name]) for name in ("rank", "count", "local_rank", "port"))
    except ValueError as error:
        raise UsageError(
            f"a launcher's variables are no numbers: {given!r}", "start it with torchrun or srun"
        ) from error
    if not 0 <= rank < count:
        raise UsageError(f"a launcher's variables contradict each other: rank {rank} of {count} processes")
    if local_rank < 0 or not 0 < port <= _LAST_PORT:
        raise UsageError(f"a launcher's variables are out of range: {given!r}", "start it with torchrun or srun")
    if count == 1:
        return None
    return Membership(rank, count, local_rank, given["address"], port, _has_own_devices(environment))


def _of_torch(environment: Mapping[str, str]) -> dict[str, str] | None:
    if "RANK" not in environment or environment.get("WORLD_SIZE", "1") == "1":
        return None
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if name not in environment:
            hint = "start it with torchrun or srun, or unset RANK for a process that is alone"
            raise UsageError(f"RANK is set, {name} is not", hint)
    return {
        "rank": environment["RANK"],
        "count": environment["WORLD_SIZE"],
        "local_rank": environment.get("LOCAL_RANK", "0"),
        "address": environment["MASTER_ADDR"],
        "port": environment["MASTER_PORT"],
    }


def _has_own_devices(environment: Mapping[str, str]) -> bool:
    """Whether `srun` was told to give each task devices of its own: it sees these only, and they count from 0."""
    return "SLURM_GPUS_PER_TASK" in environment or "gpu" in environment.get("SLURM_TRES_PER_TASK", "")


def _of_slurm(environment: Mapping[str, str]) -> dict[str, str] | None:
    """A task of a step that `srun` started; the shell or the script that starts steps is alone."""
    step, count = environment.get("SLURM_STEP_ID", ""), environment.get("SLURM_STEP_NUM_TASKS", "1")
    if "SLURM_PROCID" not in environment or count == "1" or not re.fullmatch(r"\d{1,9}", step):
        return None  # shells and scripts are steps, too, whose numbers have ten digits
    address = environment.get("MASTER_ADDR") or _first_host(environment.get("SLURM_STEP_NODELIST", ""))
    if not address:
        raise UsageError("SLURM_PROCID is set, SLURM_STEP_NODELIST is not", "start it with srun, or set MASTER_ADDR")
    given = environment.get("SLURM_JOB_ID", "0")
    job = int(given) if re.fullmatch(r"\d{1,18}", given) else 0
    return {
        "rank": environment["SLURM_PROCID"],
        "count": count,
        "local_rank": environment.get("SLURM_LOCALID", "0"),
        "address": address,
        "port": environment.get("MASTER_PORT", str(_PORT + (job * _STEPS + int(step)) % _PORTS)),
    }


def _first_host(hosts: str) -> str:
    """That of a list as Slurm writes it: node-007 of `node-[007-012,020],login`; its first task is the first one."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", hosts)
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", first[0]) if first else ""
