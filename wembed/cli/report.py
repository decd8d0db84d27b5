"""`wembed report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.evaluate import warn_of_passed_over
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.evaluate import Evaluation

COLUMNS = ("path",)
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="retrieval, prediction, merging, invariance or robustness; repeatable; default: all.",
    ),
]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, metavar="N", help="Noise and regressions N times; tells means and spreads.")
]
GLANCE_COLUMNS = ("task", "encoder", "metric", "value", "low", "high", "n", "split")


def report(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where the report goes; not needed with --terminal."),
    ] = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Print the headline table and a small map of the zoo.")
    ] = False,
    earlier: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Draw again what DIR/results.json says; no zoo is looked at."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="May be repeated, the main one first; default: all of the zoo."),
    ] = None,
    task: Tasks = None,
    seeds: Seeds = 1,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate the encoders of a zoo and write what comes out: results.md, results.json, report.html, figures.

    Example: wembed report -o report/
    """
    from wembed.catalog import Zoo
    from wembed.cli.glance import print_glance
    from wembed.device import resolve_device
    from wembed.evaluate import EvaluateOptions, evaluate, zoo_encoders
    from wembed.evaluate.evaluate import TASKS
    from wembed.report import headline_results, make_folder, read_results

    output = Output.choose(format, json, quiet)
    if not out and not terminal:
        raise UsageError("no folder to write the report to", "give -o DIR, or --terminal for a glance at it")
    on = options.device_name(device, gpu)
    if on != "auto":
        resolve_device(on)  # what is not there is said before the work
    if earlier:
        _check_alone(context)
        evaluation = read_results(earlier)
    else:
        chosen = EvaluateOptions(seed, seeds=seeds, tasks=tuple(dict.fromkeys(task or TASKS)))
        opened = Zoo.open(zoo)
        encoders = zoo_encoders(opened, encoder or (), on)
        if out:
            make_folder(out)  # what can't be written is said before the work
        with output.progress("evaluating") as progress:
            evaluation = evaluate(opened, encoders, chosen, progress)
        warn_of_passed_over(output, evaluation)
    if terminal and (format, json) == ("auto", False):
        print_glance(evaluation)
    elif terminal:
        output.rows([vars(row) for row in headline_results(evaluation)], GLANCE_COLUMNS)
    if out:
        files = _write(evaluation, out, output)
        if not terminal:
            output.rows([{"path": path} for path in files], COLUMNS)


def _check_alone(context: typer.Context) -> None:
    """Refuses options that say how to evaluate where nothing is evaluated."""
    for name in ("encoder", "task", "seeds", "zoo", "seed"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--from and --{name} contradict each other", "give one of them")


def _write(evaluation: "Evaluation", out: Path, output: Output) -> list[Path]:
    """Draws, and says where to begin."""
    from wembed.report import write_report

    with output.progress("drawing") as progress:
        files = write_report(evaluation, out, progress=progress)
    output.note(f"read {files[0]} first")
    return files
