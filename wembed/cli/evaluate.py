"""`wembed evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.cli.output_file import check_output_file
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.evaluate import Evaluation

COLUMNS = (
    "task", "encoder", "metric", "value", "n", "split", "error", "seed", "encoder_id", "data", "low", "high", "seeds",
    "spread", "target",
)  # fmt: skip
_ENDINGS = (".json", ".parquet")


def evaluate(
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder", metavar="NAME", help="Repeatable, the main one first; default: all of the zoo and two more."
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="NAME",
            help="retrieval, prediction, merging, invariance or robustness; repeatable; default: all.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar="N", help="Noise and regressions N times; tells means and spreads.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="All that was found as .json, or the rows as .parquet."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Evaluate nothing; compare what -o wrote earlier."),
    ] = None,
    seed: options.Seed = 0,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure what a zoo's encoders are worth on its held-out runs, every encoder beside its baselines.

    Example: wembed evaluate --encoder gnn --encoder stats -o results.json
    """
    output = Output.choose(format, json, quiet)
    _check_out(out)
    if compare:
        _check_alone(
            {"-o": out, "--encoder": encoder, "--task": task, "--seed": seed, "--seeds": seeds > 1, "--gpu": gpu,
             "--zoo": zoo != options.DEFAULT_ZOO, "--device": device != "auto"}
        )  # fmt: skip
        _compare(output, compare)
        return
    from wembed.catalog import Zoo
    from wembed.evaluate import EvaluateOptions, zoo_encoders
    from wembed.evaluate import evaluate as evaluate_zoo
    from wembed.evaluate.evaluate import MAP_POINTS, TASKS

    map_points = MAP_POINTS if out and out.suffix == ".json" else 0
    chosen = EvaluateOptions(seed, map_points, seeds, tuple(dict.fromkeys(task or TASKS)))
    opened = Zoo.open(zoo)
    encoders = zoo_encoders(opened, encoder or (), options.device_name(device, gpu))
    with output.progress("evaluating") as progress:
        evaluation = evaluate_zoo(opened, encoders, chosen, progress)
    warn_of_passed_over(output, evaluation)
    output.rows([vars(result) for result in evaluation.results], COLUMNS)
    if out:
        _write(out, evaluation)
    output.next_command("report", "-o", "DIR", zoo=zoo)


def warn_of_passed_over(output: Output, evaluation: "Evaluation") -> None:
    """Says how many checkpoints of a zoo could not be evaluated, and why the first of them could not."""
    from wembed.evaluate.evaluate import FIRST_PASSED_OVER, PASSED_OVER

    if count := evaluation.facts.get(PASSED_OVER):
        first = evaluation.facts.get(FIRST_PASSED_OVER)
        output.warn(f"{count} checkpoints of the zoo are passed over, first {first}")


def _compare(output: Output, paths: tuple[Path, Path]) -> None:
    from wembed.evaluate.prediction.compare import compare, data_of
    from wembed.report import read_results

    first, second = map(read_results, paths)
    results = compare(first, second)
    if data_of(first) != data_of(second):
        output.warn(f"{paths[0]} and {paths[1]} are of different data: only what both predicted is compared")
    output.rows([vars(result) for result in results], COLUMNS)


def _check_alone(others: Mapping[str, object]) -> None:
    """Refuses options that say how to evaluate where nothing is evaluated."""
    if given := [flag for flag, value in others.items() if value]:
        raise UsageError(f"--compare and {given[0]} contradict each other", "give one of them")


def _check_out(out: Path | None) -> None:
    """Refuses a path before the work, not after it."""
    if out and out.suffix not in _ENDINGS:
        raise UsageError(f"cannot write {out}: known are {', '.join(_ENDINGS)}", "give -o one of these endings")
    check_output_file(out)


def _write(out: Path, evaluation: "Evaluation") -> None:
    from wembed.evaluate.results_table import to_parquet
    from wembed.report.results_file import to_text
    from wembed.zoo.export import written_whole

    is_json = out.suffix == ".json"
    content = to_text(evaluation).encode() if is_json else to_parquet(evaluation.results)
    with written_whole(out) as partial:
        partial.write_bytes(content)
