"""`wembed experiment`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.evaluate import warn_of_passed_over
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.experiment import ExperimentOptions, ExperimentResult, Plan, Size

COLUMNS = ("task", "encoder", "metric", "value", "n", "split", "error")
PLAN_COLUMNS = ("folder", "manifest", "seed", "networks", "encoders")
DEFAULT_RESULTS = Path("results")


def experiment(
    small: Annotated[bool, typer.Option("--small", help="A zoo that is built and evaluated in minutes.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Two zoos of many kinds, all baselines and ablations, three seeds; a day.")
    ] = False,
    manifest: Annotated[
        str | None, typer.Option("--manifest", metavar="MANIFEST", help="Another zoo, a file or a packaged name.")
    ] = None,
    experiment_name: Annotated[
        str | None, typer.Option("--experiment-name", metavar="NAME", help="Default: small, default or full.")
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", "-o", metavar="DIR", help="Where experiments are kept, a folder each.")
    ] = DEFAULT_RESULTS,
    num_models: Annotated[
        int | None, typer.Option("--num-models", min=1, metavar="N", help="Networks trained; default: the manifest's.")
    ] = None,
    num_epochs: Annotated[
        int | None, typer.Option("--num-epochs", min=1, metavar="N", help="Of each encoder; default: train's own.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, metavar="N", help="Do all of it with so many seeds, and pool them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built and trained, and stop.")] = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Build a zoo, train encoders on it, evaluate them beside their baselines, write the report.

    Stopped anywhere, the same call goes on. What comes out is in results/NAME: results.md, report.html, results.json,
    figures/, inputs.json (hashes, versions, the command), log.txt, zoo/; with several seeds a folder of each besides.

    Example: wembed experiment --small
    """
    from wembed.device import resolve_device
    from wembed.experiment import ExperimentOptions, command_of, run_plan

    output = Output.choose(format, json, quiet)
    size = _size(small, full)
    plan = _plan(size, manifest, seeds)
    folder = results / _checked(size if experiment_name is None else experiment_name)
    on = options.device_name(device, gpu)
    resolve_device(on)
    command = command_of(
        {f"--{size}": size != "default", "--manifest": manifest, "--experiment-name": folder.name,
         "--results": results if results != DEFAULT_RESULTS else None, "--num-models": num_models,
         "--num-epochs": num_epochs, "--seeds": seeds, "--device": on if on != "auto" else None, "--seed": seed}
    )  # fmt: skip
    asked = ExperimentOptions(folder, plan.manifests[0], seed, num_models, num_epochs, on, command=command)
    if dry_run:
        output.rows(_planned(plan, asked), PLAN_COLUMNS)
        return
    _tell(output, run_plan(plan, asked, output.progress))


def _size(small: bool, full: bool) -> "Size":
    if small and full:
        raise UsageError("--small and --full contradict each other", "give one of them")
    return "small" if small else "full" if full else "default"


def _plan(size: "Size", manifest: str | None, seeds: int | None) -> "Plan":
    from dataclasses import replace

    from wembed.catalog.manifest import find_manifest
    from wembed.experiment import PLANS

    plan = PLANS[size]
    if manifest is not None:
        find_manifest(manifest, "build")
        plan = replace(plan, manifests=(manifest,))
    return replace(plan, seeds=seeds or plan.seeds)


def _checked(name: str) -> str:
    if name in ("", "..") or Path(name).name != name:
        raise UsageError(f"{name!r} is no name of a folder", "--results says where the folder goes")
    return name


def _planned(plan: "Plan", asked: "ExperimentOptions") -> list[dict[str, object]]:
    from wembed.catalog.manifest import load_manifest
    from wembed.experiment import studies
    from wembed.zoo.builder import BuildManifest

    rows = []
    for study in (one for of_zoo in studies(plan, asked) for one in of_zoo):
        loaded = load_manifest(study.manifest, BuildManifest)
        networks = (loaded.scaled(asked.num_models) if asked.num_models else loaded).networks
        values = (study.folder, study.manifest, study.seed, networks, ",".join(study.encoders))
        rows.append(dict(zip(PLAN_COLUMNS, values, strict=True)))
    return rows


def _tell(output: Output, done: "list[ExperimentResult]") -> None:
    from wembed.report import main_results

    rows = []
    for result in done:
        warn_of_passed_over(output, result.evaluation)
        for name, reason in result.left_out.items():
            output.warn(f"encoder {name} is left out: {reason}")
        rows += result.evaluation.results if output.is_json else main_results(result.evaluation)
    output.rows([vars(row) for row in rows], COLUMNS)
    for result in done:
        page = next((path for path in result.files if path.suffix == ".html"), result.folder / "results.md")
        output.note(f"{len(result.files)} files of the report are in {result.folder}, open {page} first")
    output.next_command("search", "CKPT", "--encoder", "gnn", zoo=done[0].zoo)
