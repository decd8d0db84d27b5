"""`wembed path`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import Output

COLUMNS = ("t", "naive_accuracy", "aligned_accuracy", "naive_loss", "aligned_loss")
AlignName = Literal["weights", "embedding", "none"]

_CHECKPOINT = "A checkpoint: a file, a folder with shards, or an id of the zoo."


def path(
    a: Annotated[str, typer.Argument(metavar="A", help=_CHECKPOINT)],
    b: Annotated[str, typer.Argument(metavar="B", help=_CHECKPOINT)],
    data: options.Data = None,
    points: Annotated[int, typer.Option("--points", min=2, max=1001, help="How many, both ends included.")] = 11,
    align: Annotated[
        AlignName,
        typer.Option("--align", help="How neurons are brought into the order of A; none: both paths are the same."),
    ] = "weights",
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME", help="Of --align embedding: what sees neurons; default: gnn."),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw both paths, too.")] = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    seed: options.Seed = 0,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show accuracy and loss on held-out data along the line between two networks, as they are and aligned.

    The barrier is how far the loss along the line rises above the straight line between those of the ends. Without
    --data it is the data set that both files say they were trained on.

    Example: wembed path a.safetensors b.safetensors --data digits --points 21 --plot path.png
    """
    from wembed.cli.path_shown import check_plot, note_curve, save_plot
    from wembed.cli.path_work import Call, follow

    output = Output.choose(format, json, quiet)
    check_plot(plot)
    call = Call(data, points, align, encoder, options.device_name(device, gpu), seed, spec, zoo)
    found = follow(output, a, b, call)
    output.rows([vars(point) for point in found.curve.points], COLUMNS)
    note_curve(output, found.curve, found.dataset)
    save_plot(output, found.curve, f"{a} to {b}, on {found.dataset}", plot)
    output.next_command("merge", a, b, "-o", "merged.safetensors", zoo=zoo)
