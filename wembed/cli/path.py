"""`wembed path`."""

from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("t", "naive_accuracy", "aligned_accuracy", "naive_loss", "aligned_loss")

_CHECKPOINT = "A checkpoint: a file, a folder with shards, or an id of the zoo."


def path(
    a: Annotated[str, typer.Argument(metavar="A", help=_CHECKPOINT)],
    b: Annotated[str, typer.Argument(metavar="B", help=_CHECKPOINT)],
    data: options.Data = None,
    points: Annotated[int, typer.Option("--points", min=2, max=1001, help="How many, both ends included.")] = 11,
    seed: options.Seed = 0,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show accuracy and loss on held-out data along the line between two networks, as they are and aligned.

    Without --data it is the data set that both files say they were trained on.

    Example: wembed path a.safetensors b.safetensors --data digits
    """
    from wembed.cli.datasets import open_dataset
    from wembed.cli.network import Sources
    from wembed.cli.opened import open_one
    from wembed.merging import common_dataset, interpolations
    from wembed.models import load_dataset

    output = Output.choose(format, json, quiet)
    opened = [open_one(output, name, zoo, Sources(spec)) for name in (a, b)]
    named = common_dataset([one.checkpoint for one in opened])
    if not (data or named):
        raise UsageError("the files do not name one data set to run them on", "give one with --data")
    dataset = open_dataset(data) if data else load_dataset(named)
    first, second = ((one.checkpoint, one.spec) for one in opened)
    curve = interpolations(first, second, dataset, points, seed)
    output.rows([vars(point) for point in curve.points], COLUMNS)
    output.note(f"loss barrier on {dataset.name}: naive {curve.naive_barrier:.3f}, aligned {curve.aligned_barrier:.3f}")
    output.next_command("merge", a, b, "-o", "merged.safetensors", zoo=zoo)
