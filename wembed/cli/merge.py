"""`wembed merge`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import Output

MethodName = Literal["linear", "slerp", "ties", "dare", "task", "stock", "embedding"]
AlignName = Literal["weights", "embedding", "none"]
DtypeName = Literal["bfloat16", "float16", "float32", "float64"]
Maximised = Literal["accuracy"]

_OF_BASE = "Of ties, dare, task, stock"


def merge(
    checkpoints: Annotated[
        list[str] | None, typer.Argument(metavar="A B [C...]", help=f"Checkpoints: {options.CHECKPOINT}.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="A new .safetensors file, or the name of a new folder."),
    ] = None,
    method: Annotated[
        MethodName | None, typer.Option("--method", help="How values are combined; default: linear, the average.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="CKPT", help=f"{_OF_BASE}: what all were fine-tuned from.")
    ] = None,
    align: Annotated[
        AlignName | None,
        typer.Option(
            "--align", help="How neurons are brought into the first one's order; default: weights, with --base none."
        ),
    ] = None,
    t: Annotated[
        float | None, typer.Option("-t", min=0.0, max=1.0, help="The share of B; default: all count alike.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="W,W", help="How much each counts; predicted: as its predicted accuracy is high."
        ),
    ] = None,
    density: Annotated[
        float | None, typer.Option("--density", help="Of ties, dare: the share of each difference that is kept.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Of ties, dare, task: what the sum is multiplied by; default: 1.")
    ] = None,
    dtype: Annotated[
        DtypeName | None, typer.Option("--dtype", help="Of what is written; default: the first's.")
    ] = None,
    shard_size: Annotated[
        str | None, typer.Option("--shard-size", metavar="SIZE", help="The most in a file of a folder, such as 5GB.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="All of this in YAML; flags go before it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say tensor by tensor what would be done, from headers alone.")
    ] = False,
    data: options.Data = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME", help="That networks are seen through: of the zoo, or a folder."),
    ] = None,
    maximise: Annotated[
        Maximised | None, typer.Option("--maximise", help="Of embedding: look for the highest prediction.")
    ] = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="All randomness; default: 0.")] = None,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Merge networks of one architecture into one, their neurons brought into the order of the first.

    Fine-tunes of one base, given with --base, are merged as they are. A folder gets the config and the tokenizer of the
    base, else of the first, and a model card with the recipe; nothing is written over. With --data, its training part
    also tells which match of neurons is best, and batch-norm statistics are recomputed on it; accuracies on its
    held-out part stand beside those of the endpoints, of the plain average, and of an endpoint with as much noise as
    the merge is away.

    Example: wembed merge a.safetensors b.safetensors -o merged.safetensors --data digits

    Example: wembed merge code/ chat/ --base llama/ --method ties --density 0.2 -o merged/ --dry-run

    Example: wembed merge --recipe recipe.yaml -o merged/

    The keys of a recipe are these options, and models:
    {method: ties, base: llama, models: [{model: code, weight: 0.3}, {model: chat, weight: 0.7}], density: 0.2}
    """
    from wembed.cli.merge_asked import asked_recipe
    from wembed.cli.merge_work import Call, perform, show_plan

    output = Output.choose(format, json, quiet)
    flags = {
        "method": method, "base": base, "align": align, "t": t, "density": density, "scale": scale, "dtype": dtype,
        "shard_size": shard_size, "data": data, "encoder": encoder, "maximise": maximise, "seed": seed,
    }  # fmt: skip
    models = options.with_standard_input(checkpoints) if checkpoints else []
    asked = asked_recipe(recipe, models, weights, flags)
    call = Call(out, spec, zoo, options.device_name(device, gpu))
    (show_plan if dry_run else perform)(output, asked, call)
