"""`wembed train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.training import Epoch, Trained

RESERVED = ("fingerprint", "stats", "pretrained", "cosine", "hyperparameters", "width", "majority", "name and config")
COLUMNS = ("encoder", "model_type", "runs", "checkpoints", "epochs", "best_epoch", "validation_loss", "seconds", "path")


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
    same command goes on from the last whole epoch; every epoch is a line of log.jsonl in the encoder's folder.

    Example: wembed train --num-epochs 100 --patience 20

    Example: wembed train --objective kinship --name lineage

    Example: wembed train --hold-out 'vit-*' --name without-vit

    Example: wembed train --model-type pna
    """
    from wembed.catalog import Zoo
    from wembed.device import resolve_device
    from wembed.training import TrainOptions, epochs_before, select_data
    from wembed.training import train as train_encoder
    from wembed.zoo import open_items

    output = Output.choose(format, json, quiet)
    folder_name = _checked(model_type if name is None else name)
    if hidden_dim % 2 or global_dim % 2:
        raise UsageError(f"--hidden-dim {hidden_dim} and --global-dim {global_dim}: expected even numbers")
    on = resolve_device(options.device_name(device, gpu))
    opened = Zoo.open(zoo)
    chosen = TrainOptions(
        model_type, hidden_dim, global_dim, message_passing_steps, batch_size, num_epochs, learning_rate,
        temperature=temperature, patience=patience, probes=probes, objective=objective, hold_out=hold_out, seed=seed,
        device=on,
    )  # fmt: skip
    data = select_data(opened.rows(), chosen)
    if data.structure:
        output.note(f"{model_type} knows one structure only, {data.structure}: the one that most training runs have")
    folder = opened.root / "encoders" / folder_name
    if before := epochs_before(folder, data, chosen):
        output.note(f"{folder.name} goes on after epoch {before} of a training that was stopped")
    with output.progress("training") as progress:  # first over the networks that are read, then over those of epochs
        done = train_encoder(data, lambda rows: open_items(opened, rows), chosen, folder, progress)
    if not done.is_new:
        output.note(f"{folder.name} is there already, trained with these options on these runs")
    output.notices(folder.name, done.notices)
    if done.stopped:
        output.warn(done.stopped)
    output.rows([_row(done, model_type)], COLUMNS)
    output.next_command("evaluate", zoo=zoo)


def _checked(name: str) -> str:
    if not name or Path(name).name != name or name.startswith("."):
        raise UsageError(f"{name!r} is no name of an encoder", "give a plain name, it becomes a folder of the zoo")
    if name in RESERVED or "shuffled" in name or "(" in name:
        raise UsageError(f"{name!r} is what a baseline is called", "give another --name")
    return name


def _row(done: "Trained", model_type: str) -> dict[str, object]:
    best: Epoch | None = next((epoch for epoch in reversed(done.history) if epoch.best), None)
    return {
        "encoder": done.folder.name,
        "model_type": model_type,
        "runs": len(done.data.runs(done.data.rows)),
        "checkpoints": len(done.data.rows),
        "epochs": len(done.history),
        "best_epoch": best.epoch if best else None,
        "validation_loss": best.validation_loss if best else None,
        "seconds": done.history[-1].seconds if done.history else 0.0,
        "path": done.folder,
    }
