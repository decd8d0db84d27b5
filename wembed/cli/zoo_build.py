"""`wembed zoo build`."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.catalog import Zoo
    from wembed.models import DataFile
    from wembed.zoo.builder import BuildOptions, BuiltStack, Stack

COLUMNS = (
    "stack", "runs", "checkpoints", "skipped", "diverged", "accuracy_min", "accuracy_median", "accuracy_max", "seconds",
)  # fmt: skip
PLAN_COLUMNS = ("stack", "runs", "checkpoints", "skipped", "parameters", "megabytes", "seconds")
_BYTES_PER_PARAMETER = 4  # weights are written as float32
_BYTES_OF_HEADER = 4_000  # about: names, shapes, symmetries


def build(
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help="A file, or a packaged one by name.")] = "digits",
    num_models: Annotated[
        int | None,
        typer.Option(
            "--num-models",
            min=1,
            metavar="N",
            help="Train N networks in all, in the manifest's proportions; each leaves a checkpoint per snapshot, "
            "and its twins and children.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes; default: one per core if it takes long."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=PATH", help="Where a data set of the manifest is; may be repeated."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="All randomness; default: the manifest's.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained and how long it takes, and write nothing.")
    ] = False,
    device: options.Device = "cpu",
    gpu: options.Gpu = False,
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
    from wembed.device import resolve_device
    from wembed.zoo.builder import BuildManifest, BuildOptions
    from wembed.zoo.builder import build as build_zoo

    output = Output.choose(format, json, quiet)
    on = resolve_device(options.device_name(device, gpu))
    loaded = load_manifest(manifest, BuildManifest).with_files(_files(data or []))
    chosen = loaded.scaled(num_models) if num_models else loaded
    seed = loaded.seed if seed is None else seed
    waiting = lambda: output.note(f"another build holds {zoo}, waiting for it")  # noqa: E731
    wanted = BuildOptions(chosen, seed, jobs, on, waiting=waiting)
    if dry_run:
        _plan(Zoo(zoo), wanted, output)
        return
    with output.progress("training") as progress:
        built = build_zoo(Zoo(zoo), replace(wanted, progress=progress))
    output.rows([_built(stack) for stack in built], COLUMNS)
    output.note(_summary(built))
    output.next_command("train", zoo=zoo)


def _files(given: Sequence[str]) -> "dict[str, DataFile]":
    from wembed.models import DataFile

    files = {}
    for text in given:
        name, _, path = text.partition("=")
        if not (name and path):
            raise UsageError(f"--data {text}: expected NAME=PATH", "such as --data mnist=downloads/mnist")
        files[name] = DataFile(path=Path(path))
    return files


def _plan(zoo: "Zoo", wanted: "BuildOptions", output: Output) -> None:
    from wembed.zoo.builder import estimate_seconds, jobs_for, plan

    stacks = plan(zoo, wanted.manifest, wanted.seed)
    with output.progress("taking a few steps of every kind") as progress:
        seconds = estimate_seconds(stacks, wanted.manifest, progress)
    output.rows([_planned(stack, seconds) for stack in stacks], PLAN_COLUMNS)
    left = [stack for stack in stacks if not stack.journal]
    parameters = sum(stack.checkpoints * stack.parameters for stack in left)
    megabytes = sum(map(_megabytes, left))
    jobs = jobs_for(left, wanted)
    minutes = sum(seconds.values()) / jobs / 60
    output.note(
        f"{sum(len(stack.members) for stack in left)} networks, {sum(stack.checkpoints for stack in left)} checkpoints "
        f"to be made, {parameters:,} parameters, {megabytes:,.1f} MB, about {minutes:.1f} minutes with --jobs {jobs}; "
        "nothing written"
    )


def _built(built: "BuiltStack") -> dict[str, object]:
    accuracies = [row.accuracy for row in built.rows if row.accuracy is not None]
    return {
        "stack": built.stack.name,
        "runs": len(built.stack.members),
        "checkpoints": len(built.rows),
        "skipped": built.skipped,
        "diverged": sum(row.status is not None for row in built.rows),
        "accuracy_min": min(accuracies, default=None),
        "accuracy_median": statistics.median(accuracies) if accuracies else None,
        "accuracy_max": max(accuracies, default=None),
        "seconds": built.seconds,
    }


def _planned(stack: "Stack", seconds: Mapping[str, float]) -> dict[str, object]:
    return {
        "stack": stack.name,
        "runs": len(stack.members),
        "checkpoints": stack.checkpoints,
        "skipped": stack.journal is not None,
        "parameters": stack.parameters,
        "megabytes": _megabytes(stack),
        "seconds": seconds.get(stack.name, 0.0),
    }


def _megabytes(stack: "Stack") -> float:
    return stack.checkpoints * (stack.parameters * _BYTES_PER_PARAMETER + _BYTES_OF_HEADER) / 1e6


def _summary(built: "Sequence[BuiltStack]") -> str:
    rows = [row for stack in built for row in stack.rows]
    accuracies = [row.accuracy for row in rows if row.accuracy is not None]
    new = sum(len(stack.rows) for stack in built if not stack.skipped)
    return f"{len(rows)} checkpoints, {new} of them new, accuracy {min(accuracies):.3f} to {max(accuracies):.3f}"
