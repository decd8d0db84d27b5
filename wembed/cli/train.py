"""`wembed train`."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

RESERVED = ("fingerprint", "stats", "pretrained", "cosine", "hyperparameters", "width", "majority", "name and config")


def train(
    model_type: Annotated[
        Literal["gnn", "pna", "mlp", "pca-mlp"],
        typer.Option(
            "--model-type",
            help="gnn and pna, which has a message for every weight, know every structure; the others one only.",
        ),
    ] = "gnn",
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it in the zoo; default: the model type.")
    ] = None,
    hidden_dim: Annotated[int, typer.Option("--hidden-dim", min=4, help="Width of node states.")] = 32,
    global_dim: Annotated[int, typer.Option("--global-dim", min=4, help="Length of what is learned.")] = 128,
    message_passing_steps: Annotated[
        int, typer.Option("--message-passing-steps", min=1, help="Sweeps, each forward and back.")
    ] = 2,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Pairs of networks per step.")] = 64,
    num_epochs: Annotated[int, typer.Option("--num-epochs", min=1, help="At most; it stops early.")] = 30,
    patience: Annotated[
        int, typer.Option("--patience", min=1, help="Epochs without a smaller validation loss before it stops.")
    ] = 15,
    objective: Annotated[
        Literal["both", "kinship", "accuracy"],
        typer.Option(
            "--objective",
            help="kinship: for search and lineage, where accuracies are not known or do not matter; "
            "accuracy: for predictions only; both: for all of it.",
        ),
    ] = "both",
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=1e-8, help="At its peak.")] = 2e-3,
    temperature: Annotated[
        float, typer.Option("--temperature", min=1e-3, max=1e3, help="Of the contrastive loss.")
    ] = 0.1,
    probes: Annotated[
        int, typer.Option("--probes", min=0, help="Learned inputs that are pushed through networks; 0 for none.")
    ] = 128,
    hold_out: Annotated[
        str,
        typer.Option(
            "--hold-out",
            metavar="PATTERNS",
            help="Architectures not to train on, such as 'cnn-*,vit-*'; `wembed evaluate` then measures on them.",
        ),
    ] = "",
    devices: Annotated[
        str,
        typer.Option(
            "--devices",
            metavar="N|all",
            help="Devices of this machine that share the work, a process each; on the CPU, processes.",
        ),
    ] = "1",
    accumulate: Annotated[
        int,
        typer.Option("--accumulate", min=1, help="Parts that a step is run in: the same result in less memory."),
    ] = 1,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option("--precision", help="Of products, on devices that have both; weights stay float32."),
    ] = "float32",
    compile: Annotated[bool, typer.Option("--compile", help="Compile the encoder first, which takes minutes.")] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Only algorithms that give the same result every time.")
    ] = False,
    seed: options.Seed = 0,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train an encoder on the runs of the zoo: relatives together, strangers and twins apart, accuracies read off.

    A quarter of the runs, drawn by --seed, is never looked at; `wembed evaluate` measures on it. Stopped anywhere, the
    same command goes on from the last whole epoch, on any number of devices; every epoch is a line of log.jsonl in the
    encoder's folder. A process that torchrun or srun has started trains together with the others of its kind.

    Example: wembed train --num-epochs 100 --patience 20

    Example: wembed train --objective kinship --name lineage

    Example: wembed train --hold-out 'vit-*' --name without-vit

    Example: wembed train --model-type pna

    Example: wembed train --gpu --devices all --batch-size 256
    """
    from wembed.catalog import Zoo
    from wembed.cli.train_run import Asked, run, said_once
    from wembed.training import TrainOptions, select_data
    from wembed.training.distributed import own_place
    from wembed.training.distributed.placement import placed

    output, is_alone = Output.choose(format, json, quiet), own_place(os.environ) is None
    with nullcontext() if is_alone else said_once(output):
        folder_name = _checked(model_type if name is None else name)
        if hidden_dim % 2 or global_dim % 2:
            raise UsageError(f"--hidden-dim {hidden_dim} and --global-dim {global_dim}: expected even numbers")
        placement = placed(options.device_name(device, gpu), devices, os.environ)
        chosen = TrainOptions(
            model_type, hidden_dim, global_dim, message_passing_steps, batch_size, num_epochs, learning_rate,
            temperature=temperature, patience=patience, probes=probes, objective=objective, hold_out=hold_out,
            seed=seed, device=placement.device, accumulate=accumulate, precision=precision, compile=compile,
            deterministic=deterministic,
        )  # fmt: skip
        select_data(Zoo.open(zoo).rows(), chosen)  # what can't be trained on is said before any process is started
    run(Asked(zoo, folder_name, chosen, output), placement)


def _checked(name: str) -> str:
    if not name or Path(name).name != name or name.startswith("."):
        raise UsageError(f"{name!r} is no name of an encoder", "give a plain name, it becomes a folder of the zoo")
    if name in RESERVED or "shuffled" in name or "(" in name:
        raise UsageError(f"{name!r} is what a baseline is called", "give another --name")
    return name
