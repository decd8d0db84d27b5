"""A zoo in, on a file system that all machines see; embedded by the workers of a Ray cluster, shard by shard, out.

Each worker does what `wembed embed --shard` does, into the one table. A worker that dies is replaced, and what it had
written is not computed again.
"""

import dataclasses
import importlib
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wembed.catalog import Zoo
from wembed.device import gpus_for
from wembed.errors import UsageError, WembedError
from wembed.zoo.embed.current import settle
from wembed.zoo.embed.results import EmbedResult
from wembed.zoo.embed.shard import Shard
from wembed.zoo.embed.whole import embed_zoo
from wembed.zoo.encoders import find_encoder, open_table
from wembed.zoo.progress import Progress, silent

PATIENCE = 10.0  # seconds, for a cluster to answer
RETRIES = 3  # of a shard whose worker died
_INSTALL = "pip install 'wembed-zoo[ray]'"
SHARDS = 4  # of each worker, so that none waits long for the others


@dataclass(frozen=True)
class Task:
    """What all workers do.

    Args:
        zoo: whose checkpoints; workers on other machines see it under the same path.
        encoder: with what, by name or folder.
        store: where the table is; None for in the zoo.
        device: see `resolve_device`.
    """

    zoo: Path
    encoder: str
    store: str | None
    device: str

    def absolute(self) -> "Task":
        """The same, whatever folder a worker starts in."""
        encoder = str(Path(self.encoder).absolute()) if Path(self.encoder).is_dir() else self.encoder
        store = str(Path(self.store).absolute()) if self.store and "://" not in self.store else self.store
        return dataclasses.replace(self, zoo=self.zoo.absolute(), encoder=encoder, store=store)


@dataclass(frozen=True)
class Cluster:
    """Where workers are.

    Args:
        address: of a cluster that runs; None for one on this machine, for as long as the work takes.
        workers: how many; None for as many as it has CPUs.
    """

    address: str | None
    workers: int | None


def embed_with_ray(task: Task, cluster: Cluster, progress: Progress = silent) -> EmbedResult:
    """Embeds what isn't embedded yet; no vectors are in the result.

    Raises:
        UsageError: if Ray isn't installed.
        WembedError: if the cluster can't be reached, a worker dies again and again, or the table can't be written.
    """
    task, zoo = task.absolute(), Zoo.open(task.zoo)
    with redirect_stdout(sys.stderr), _connected(cluster) as ray:  # Ray tells of workers that died on stdout
        count = cluster.workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        shards = [Shard(number, SHARDS * count) for number in range(1, SHARDS * count + 1)]
        parts = list(_parts(ray, task, shards, count, progress))
    order = {row.id: place for place, row in enumerate(zoo.rows())}
    done = sorted((entry for part in parts for entry in part.done), key=lambda entry: order[entry.id])
    failures = sorted((entry for part in parts for entry in part.failures), key=lambda entry: order[entry.id])
    table = open_table(zoo, find_encoder(task.encoder, zoo, task.device), task.store)
    if table is not None:
        settle(zoo, table, failures)
    return EmbedResult(done, failures)


def embed_shard(task: Task, shard: Shard) -> EmbedResult:
    """Embeds one shard, as a worker does."""
    zoo = Zoo.open(task.zoo)
    encoder = find_encoder(task.encoder, zoo, task.device)
    table = open_table(zoo, encoder, task.store)
    if table is None:
        raise ValueError("a zoo has a table")
    result = embed_zoo(zoo, encoder, table, shard=shard)
    return EmbedResult([dataclasses.replace(entry, vector=None) for entry in result.done], result.failures)


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:  # gives the module ray, which is loaded only here
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UsageError("--engine ray needs Ray, which isn't installed", _INSTALL) from error
    own = {"num_cpus": cluster.workers or os.cpu_count(), "include_dashboard": False} if not cluster.address else {}
    try:
        _check(cluster.address or "")
        ray.init(cluster.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError) as error:
        place = f"at {cluster.address}" if cluster.address else "on this machine"
        said = (str(error).splitlines() or [""])[0]
        hint = "`ray start --head` starts one, whose address it prints"
        raise WembedError(f"cannot reach Ray {place}: {said}", hint) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """Raises an OSError where nobody answers, for which Ray itself would wait many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), PATIENCE).close()


def _parts(ray: Any, task: Task, shards: list[Shard], count: int, progress: Progress) -> Iterator[EmbedResult]:
    """What becomes of each shard, so many at a time."""
    remote = ray.remote(num_cpus=1, num_gpus=gpus_for(task.device), max_retries=RETRIES)(embed_shard)
    total, told, waiting = len(Zoo.open(task.zoo).rows()), 0, list(shards)
    running: dict[Any, Shard] = {}
    while waiting or running:
        while waiting and len(running) < count:
            shard = waiting.pop(0)
            running[remote.remote(task, shard)] = shard
        (finished,), _ = ray.wait(list(running))
        result = _result(ray, finished, running.pop(finished))
        told += len(result.done) + len(result.failures)
        progress(told, total)
        yield result


def _result(ray: Any, finished: Any, shard: Shard) -> EmbedResult:
    try:
        result: EmbedResult = ray.get(finished)
        return result
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        hint = f"run it again, or with `--shard {shard}` alone: what was written is kept"
        raise WembedError(f"a Ray worker died {RETRIES + 1} times while embedding shard {shard}", hint) from error
