"""Two names and how to match them in; the path between the networks out."""

from dataclasses import dataclass
from pathlib import Path

from wembed.cli.datasets import open_dataset
from wembed.cli.network import Sources
from wembed.cli.opened import open_one
from wembed.cli.output import Output
from wembed.encoder import Encoder
from wembed.errors import UsageError
from wembed.merging import MergeOptions, PathCurve, common_dataset, interpolations
from wembed.merging.names import AlignName
from wembed.models import load_dataset


@dataclass(frozen=True)
class Call:
    """What a call of `path` says beside the names.

    Args:
        data: what to run on; None for the data set of both files.
        points: how many.
        align: how to match.
        encoder: name of the one that sees neurons.
        device: to run it on.
        seed: of the matching.
        spec: a file with the symmetries of both networks.
        zoo: whose ids and encoders to know.
    """

    data: str | None
    points: int
    align: AlignName
    encoder: str | None
    device: str
    seed: int
    spec: Path | None
    zoo: Path


@dataclass(frozen=True)
class Followed:
    """A path, and the name of the data set that it was followed on."""

    dataset: str
    curve: PathCurve


def follow(output: Output, a: str, b: str, call: Call) -> Followed:
    """Runs what lies between two networks.

    Raises:
        UsageError: there is no data set to run on, or it does not fit.
        CheckpointRefusedError: the two are not mergeable, or do not say how to run them.
    """
    opened = [open_one(output, name, call.zoo, Sources(call.spec)) for name in (a, b)]
    named = common_dataset([one.checkpoint for one in opened])
    if not (call.data or named):
        raise UsageError("the files do not name one data set to run them on", "give one with --data")
    if call.encoder and call.align != "embedding":
        raise UsageError(f"--encoder is of --align embedding, found --align {call.align}", "leave one of them out")
    dataset = open_dataset(call.data) if call.data else load_dataset(named)
    first, second = ((one.checkpoint, one.spec) for one in opened)
    how = MergeOptions(align=call.align, seed=call.seed, encoder=_encoder(call))
    return Followed(dataset.name, interpolations(first, second, dataset, call.points, how))


def _encoder(call: Call) -> Encoder | None:
    from wembed.catalog import Zoo
    from wembed.zoo import find_encoder

    if call.align != "embedding":
        return None
    return find_encoder(call.encoder or "gnn", Zoo.open(call.zoo) if Zoo.is_zoo(call.zoo) else None, call.device)
