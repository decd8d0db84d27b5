"""What one call of `wembed embed` asks for, and which engine does it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wembed.cli.in_memory import embed_in_memory, warn_not_kept
from wembed.cli.options import device_name, with_standard_input
from wembed.cli.session import Session, SessionOptions
from wembed.errors import UsageError
from wembed.store import UnwritableError
from wembed.zoo.embed import EmbedResult, Shard, embed_zoo, with_vectors


@dataclass(frozen=True)
class Call:
    """The options of `wembed embed` that say what is embedded, and where.

    Args:
        checkpoints: what; none for all of the zoo.
        spec: the symmetries of given checkpoints.
        shard: which part of the zoo.
        engine: what does the work.
        address: of the Ray cluster.
        workers: of Ray.
        out: the file that the vectors go to; with one, they need not be kept.

    Raises:
        UsageError: if they contradict each other.
    """

    checkpoints: Sequence[str]
    spec: Path | None
    shard: str | None
    engine: Literal["local", "ray"]
    address: str | None
    workers: int | None
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.spec and not self.checkpoints:
            raise UsageError("--spec goes with given checkpoints", "`wembed zoo add --spec` gives a zoo's files a spec")
        if self.checkpoints and (self.shard or self.engine == "ray"):
            raise UsageError("--shard and --engine ray are for a whole zoo", "leave out the checkpoints, or the option")
        if self.shard and self.engine == "ray":
            raise UsageError("--shard and --engine ray contradict each other", "Ray makes shards of its own")
        if self.engine != "ray" and (self.address or self.workers):
            raise UsageError("--address and --workers go with --engine ray", "add --engine ray")
        if self.shard:
            Shard.parse(self.shard)


def embed_asked(session: Session, options: SessionOptions, call: Call) -> EmbedResult:
    """Embeds given checkpoints, whose vectors are in the result, or those of the zoo, whose vectors need not be.

    Raises:
        WembedError: if it can't be done.
    """
    if call.checkpoints:
        return _given(session, call)
    return _with_ray(session, options, call) if call.engine == "ray" else _here(session, call)


def with_all_vectors(session: Session, result: EmbedResult) -> EmbedResult:
    """Gives a result with the vectors of all that is embedded."""
    if session.table is None or all(entry.vector is not None for entry in result.done):
        return result
    session.table.refresh()
    return with_vectors(result, session.table)


def _given(session: Session, call: Call) -> EmbedResult:
    names = with_standard_input(call.checkpoints)
    try:
        return session.embed(names, call.spec)
    except UnwritableError as error:
        if call.out is None:
            raise
        warn_not_kept(session.output, len(names), error)
        return replace(session, table=None).embed(names, call.spec)


def _here(session: Session, call: Call) -> EmbedResult:
    shard, kept = Shard.parse(call.shard or "1/1"), session.kept
    try:
        with session.output.progress("embedding") as progress:
            return embed_zoo(kept.zoo, session.encoder, kept.table, progress, shard)
    except UnwritableError as error:
        if call.out is None:
            raise
        rows = shard.rows(kept.zoo.rows())
        return embed_in_memory(session.output, kept.zoo, rows, session.encoder, kept.table, error)


def _with_ray(session: Session, options: SessionOptions, call: Call) -> EmbedResult:
    from wembed.zoo.embed.ray import Cluster, Task, embed_with_ray

    task = Task(options.zoo, session.name, options.store, device_name(options.device, options.gpu))
    with session.output.progress("embedding") as progress:
        return embed_with_ray(task, Cluster(call.address, call.workers), progress)
