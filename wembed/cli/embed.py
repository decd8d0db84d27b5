"""`wembed embed`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

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
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only the I-th of N parts of the zoo, from 1/N to N/N.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="ray: the workers of a Ray cluster embed the zoo.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDRESS", help="Of the Ray cluster; default: one on this machine."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Of Ray; default: as many as it has CPUs.")
    ] = None,
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
    from wembed.cli.embedding import Call, embed_asked, with_all_vectors
    from wembed.cli.output_file import check_output_file
    from wembed.cli.session import Session, SessionOptions
    from wembed.zoo import check_suffix, save_embeddings

    output = Output.choose(format, json, quiet)
    check_suffix(out)
    check_output_file(out)
    call, shared = (
        Call(checkpoints or [], spec, shard, engine, address, workers, out),
        SessionOptions(zoo, encoder, store, device, gpu),
    )
    session = Session.start(output, shared, needs_zoo=not checkpoints)
    result = embed_asked(session, shared, call)
    if out:
        save_embeddings(out, with_all_vectors(session, result).done, session.encoder.dimension)
    output.rows([vars(entry) | {"encoder": session.name} for entry in result.done], COLUMNS)
    report_failures(output, [failure.error for failure in result.failures], len(result.done))
    output.next_command("search", "CKPT", zoo=zoo)
