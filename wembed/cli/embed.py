"""`wembed embed`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("id", "params", "seconds", "skipped", "encoder")


def embed(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CKPT...]", help=f"Checkpoints, default all of the zoo: {options.CHECKPOINT}."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.npz|.parquet", help="Write ids and embeddings.")
    ] = None,
    encoder: options.EncoderName = None,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Embed checkpoints; what is in the zoo and unchanged is skipped.

    Example: wembed embed a.safetensors b.pt -o embeddings.npz
    """
    from wembed.cli.session import Session, SessionOptions
    from wembed.zoo import check_suffix, save_embeddings

    output = Output.choose(format, json, quiet)
    check_suffix(out)
    if spec and not checkpoints:
        raise UsageError("--spec goes with given checkpoints", "`wembed zoo add --spec` gives a zoo's files a spec")
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=not checkpoints)
    result = session.embed(checkpoints, spec) if checkpoints else session.embed_zoo(with_vectors=out is not None)
    if out:
        save_embeddings(out, result.done, session.encoder.dimension)
    output.rows([vars(entry) | {"encoder": session.name} for entry in result.done], COLUMNS)
    report_failures(output, [failure.error for failure in result.failures], len(result.done))
    output.next_command("search", "CKPT", zoo=zoo)
