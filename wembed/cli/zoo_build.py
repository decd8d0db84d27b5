"""`wembed zoo build`."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.zoo.builder import BuiltStack, Stack

COLUMNS = (
    "stack", "runs", "checkpoints", "skipped", "diverged", "accuracy_min", "accuracy_median", "accuracy_max", "seconds",
)  # fmt: skip
PLAN_COLUMNS = ("stack", "runs", "checkpoints", "skipped", "parameters", "megabytes")
_BYTES_PER_PARAMETER = 4  # weights are written as float32


def build(
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help="A file, or a packaged one by name.")] = "digits",
    num_models: Annotated[
        int | None,
        typer.Option(
            "--num-models",
            min=1,
            metavar="N",
            help="Train N networks in all, in the manifest's proportions; each leaves a checkpoint per snapshot.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="All randomness; default: the manifest's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and write nothing.")] = False,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a zoo of small networks; a build that was interrupted goes on where it was.

    Example: wembed zoo build small --num-models 100
    """
    from wembed.catalog import Zoo
    from wembed.catalog.manifest import load_manifest
    from wembed.zoo.builder import BuildManifest, BuildOptions, plan
    from wembed.zoo.builder import build as build_zoo

    output = Output.choose(format, json, quiet)
    loaded = load_manifest(manifest, BuildManifest)
    chosen = loaded.scaled(num_models) if num_models else loaded
    seed = loaded.seed if seed is None else seed
    if dry_run:
        output.rows([_planned(stack) for stack in plan(Zoo(zoo), chosen, seed)], PLAN_COLUMNS)
        output.note(f"{chosen.runs} runs, {chosen.runs * len(chosen.training.snapshots)} checkpoints, nothing written")
        return
    with output.progress("training") as progress:
        waiting = lambda: output.note(f"another build holds {zoo}, waiting for it")  # noqa: E731
        built = build_zoo(Zoo(zoo), BuildOptions(chosen, seed, progress, waiting))
    output.rows([_built(stack) for stack in built], COLUMNS)
    output.note(_summary(built))
    output.next_command("train", zoo=zoo)


def _built(built: "BuiltStack") -> dict[str, object]:
    accuracies = [row.accuracy for row in built.rows if row.accuracy is not None]
    return {
        "stack": built.stack.name,
        "runs": len(built.stack.runs),
        "checkpoints": len(built.rows),
        "skipped": built.skipped,
        "diverged": sum(row.status is not None for row in built.rows),
        "accuracy_min": min(accuracies),
        "accuracy_median": statistics.median(accuracies),
        "accuracy_max": max(accuracies),
        "seconds": built.seconds,
    }


def _planned(stack: "Stack") -> dict[str, object]:
    checkpoints = len(stack.runs) * len(stack.training.snapshots)
    return {
        "stack": stack.name,
        "runs": len(stack.runs),
        "checkpoints": checkpoints,
        "skipped": stack.journal is not None,
        "parameters": stack.parameters,
        "megabytes": checkpoints * stack.parameters * _BYTES_PER_PARAMETER / 1e6,
    }


def _summary(built: "Sequence[BuiltStack]") -> str:
    rows = [row for stack in built for row in stack.rows]
    accuracies = [row.accuracy for row in rows if row.accuracy is not None]
    new = sum(len(stack.rows) for stack in built if not stack.skipped)
    return f"{len(rows)} checkpoints, {new} of them new, accuracy {min(accuracies):.3f} to {max(accuracies):.3f}"
