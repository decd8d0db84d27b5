"""`wembed evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import NotFoundError, UsageError, WembedError

if TYPE_CHECKING:
    from wembed.evaluate import Evaluation

COLUMNS = ("task", "encoder", "metric", "value", "n", "split", "error", "seed", "encoder_id", "data")


def evaluate(
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder", metavar="NAME", help="Repeatable, the main one first; default: all of the zoo and two more."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.json", help="Write all that was found.")
    ] = None,
    seed: options.Seed = 0,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure retrieval, prediction and merging on the held-out runs of a zoo, every encoder beside its baselines.

    Example: wembed evaluate --encoder gnn --encoder stats -o results.json
    """
    from wembed.catalog import Zoo
    from wembed.cli.options import device_name
    from wembed.evaluate import EvaluateOptions, zoo_encoders
    from wembed.evaluate import evaluate as evaluate_zoo

    output = Output.choose(format, json, quiet)
    _check_out(out)
    opened = Zoo.open(zoo)
    encoders = zoo_encoders(opened, encoder or (), device_name(device, gpu))
    with output.progress("evaluating") as progress:
        evaluation = evaluate_zoo(opened, encoders, EvaluateOptions(seed), progress)
    if out:
        _write(out, evaluation)
    output.rows([vars(result) for result in evaluation.results], COLUMNS)
    output.next_command("report", "-o", "DIR", zoo=zoo)


def _check_out(out: Path | None) -> None:
    """Refuses a path before the work, not after it."""
    if out and out.suffix != ".json":
        raise UsageError(f"cannot write {out}: expected a .json file", "give -o that ending")
    if out and not out.parent.is_dir():
        raise NotFoundError(f"cannot write {out}: there is no folder {out.parent}", "make it first")


def _write(out: Path, evaluation: "Evaluation") -> None:
    from wembed.report.results_file import to_text

    temporary = out.with_name(f".{out.name}.partial")
    try:
        temporary.write_text(to_text(evaluation), encoding="utf-8")
        temporary.replace(out)
    except OSError as error:
        raise WembedError(f"cannot write {out}: {(error.strerror or str(error)).lower()}") from error
