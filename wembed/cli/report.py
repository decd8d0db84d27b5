"""`wembed report`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("path",)


def report(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the report goes.")],
    earlier: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Draw again what DIR/results.json says; no zoo is looked at."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="May be repeated, the main one first; default: all of the zoo."),
    ] = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate the encoders of a zoo and write what comes out: results.md, results.json, figures.

    Example: wembed report -o report/
    """
    from wembed.report import read_results, write_report

    output = Output.choose(format, json, quiet)
    if earlier and encoder:
        raise UsageError("--from and --encoder contradict each other", "give one of them")
    if earlier:
        evaluation = read_results(earlier)
    else:
        from wembed.catalog import Zoo
        from wembed.evaluate import EvaluateOptions, evaluate, zoo_encoders

        opened = Zoo.open(zoo)
        encoders = zoo_encoders(opened, encoder or (), options.device_name(device, gpu))
        with output.progress("evaluating") as progress:
            evaluation = evaluate(opened, encoders, EvaluateOptions(seed=seed), progress)
    with output.progress("drawing") as progress:
        files = write_report(evaluation, out, progress=progress)
    output.rows([{"path": path} for path in files], COLUMNS)
    output.note(f"read {files[0]} first")
