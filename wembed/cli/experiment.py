"""`wembed experiment`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("task", "encoder", "metric", "value", "n", "split", "error")
DEFAULT_RESULTS = Path("results")
MANIFESTS = {True: "small", False: "digits"}
NAMES = {True: "small", False: "full"}


def experiment(
    small: Annotated[bool, typer.Option("--small", help="A zoo that is built and evaluated in minutes.")] = False,
    experiment_name: Annotated[
        str | None, typer.Option("--experiment-name", metavar="NAME", help="Default: small with --small, else full.")
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
    seed: options.Seed = 0,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Build a zoo, train gnn, mlp and pca-mlp on it, evaluate them, write the report; stopped, it goes on.

    What comes out is in results/NAME: results.md, results.json, figures/, log.txt, zoo/.

    Example: wembed experiment --small
    """
    from wembed.experiment import ExperimentOptions, run_experiment
    from wembed.report import main_results

    output = Output.choose(format, json, quiet)
    folder = results / _checked(NAMES[small] if experiment_name is None else experiment_name)
    chosen = ExperimentOptions(folder, MANIFESTS[small], seed, num_models, num_epochs, options.device_name(device, gpu))
    done = run_experiment(chosen, output.progress)
    for name, reason in done.left_out.items():
        output.warn(f"encoder {name} is left out: {reason}")
    rows = done.evaluation.results if output.is_json else main_results(done.evaluation)
    output.rows([vars(row) for row in rows], COLUMNS)
    output.note(f"{len(done.files)} files of the report are in {folder}, read {folder / 'results.md'} first")
    output.next_command("search", "CKPT", "--encoder", "gnn", zoo=folder / "zoo")


def _checked(name: str) -> str:
    if name in ("", "..") or Path(name).name != name:
        raise UsageError(f"{name!r} is no name of a folder", "--results says where the folder goes")
    return name
