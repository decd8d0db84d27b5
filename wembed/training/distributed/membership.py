"""The environment in; the place of this process among those of a training, and their group while it lasts, out.

torchrun, `wembed train --devices` and every other launcher of torch set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
MASTER_PORT; `srun` sets SLURM_PROCID, SLURM_STEP_NUM_TASKS and SLURM_LOCALID.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from wembed.device import collective_backend, use_device
from wembed.errors import UsageError, WembedError
from wembed.training.distributed.ranks import Ranks, current_ranks

_PORT = 29500  # torch's own default
_PORTS = 1000  # that jobs of one machine are spread over
_PATIENCE = timedelta(minutes=10)  # that one waits for the others


@dataclass(frozen=True)
class Membership:
    """The place of a process among those of a training.

    Args:
        rank: its number, from 0.
        count: of all processes.
        local_rank: its number among those of this machine.
        address: of the machine where they meet.
        port: there.
    """

    rank: int
    count: int
    local_rank: int
    address: str
    port: int


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
    return Membership(rank, count, local_rank, given["address"], port) if count > 1 else None


@contextmanager
def joined(place: Membership, device: str) -> Iterator[Ranks]:
    """The group of all processes of a training, on this process's device, until it is left.

    Raises:
        WembedError: the others are not there.
    """
    import torch.distributed as dist

    try:
        use_device(device)
        store, backend = _store(place), collective_backend(device)
        dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.count, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        where = f"{place.address!r} port {place.port}"
        message = f"process {place.rank} of {place.count} could not meet the others at {where}"
        raise WembedError(message, "is MASTER_ADDR a machine that all of them reach?") from error
    try:
        yield current_ranks()
    finally:
        with suppress(RuntimeError):  # a peer is gone
            dist.destroy_process_group()


def speaks_first() -> bool:
    """Whether no other process of the training has said yet why it ends; to be asked once."""
    from torch.distributed import distributed_c10d

    if current_ranks().is_alone:
        return True
    try:
        store = distributed_c10d._get_default_store()
        return bool(store.add("wembed/failed", 1) == 1)
    except RuntimeError:  # it was kept by a process that is gone
        return current_ranks().is_first


def _store(place: Membership):  # type: ignore[no-untyped-def] # noqa: ANN202 - torch's stores have no public type
    """Where processes find each other: kept by torchrun's agent where there is one, else by the first process."""
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    is_kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    is_keeper = place.rank == 0 and not is_kept
    store = TCPStore(place.address, place.port, place.count, is_keeper, timeout=_PATIENCE, wait_for_workers=False)
    return PrefixStore("wembed", store)


def _of_torch(environment: Mapping[str, str]) -> dict[str, str] | None:
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return None
    return {
        "rank": environment["RANK"],
        "count": environment["WORLD_SIZE"],
        "local_rank": environment.get("LOCAL_RANK", "0"),
        "address": environment.get("MASTER_ADDR", "localhost"),
        "port": environment.get("MASTER_PORT", str(_PORT)),
    }


def _of_slurm(environment: Mapping[str, str]) -> dict[str, str] | None:
    """A task of a step; the script that starts steps has no SLURM_STEP_NUM_TASKS, and is alone."""
    if "SLURM_PROCID" not in environment or "SLURM_STEP_NUM_TASKS" not in environment:
        return None
    job = environment.get("SLURM_JOB_ID", "0")
    port = _PORT + int(job) % _PORTS if job.isdecimal() else _PORT
    return {
        "rank": environment["SLURM_PROCID"],
        "count": environment["SLURM_STEP_NUM_TASKS"],
        "local_rank": environment.get("SLURM_LOCALID", "0"),
        "address": environment.get("MASTER_ADDR") or environment.get("SLURM_LAUNCH_NODE_IPADDR", "localhost"),
        "port": environment.get("MASTER_PORT", str(port)),
    }
