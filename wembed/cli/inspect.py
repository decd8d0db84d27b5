"""`wembed inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.collapsed import collapsed
from wembed.cli.output import Output

COLUMNS = ("group", "size", "kind", "free", "scale", "why", "tensors", "shape")


def inspect(
    checkpoint: Annotated[
        str | None,
        typer.Argument(metavar="CKPT", help=f"A checkpoint: {options.CHECKPOINT}; or a config.json alone."),
    ] = None,
    chain: Annotated[
        list[str] | None,
        typer.Option("--chain", metavar="STEPS", help='The order of a plain chain, as in "0 relu 2"; one for each.'),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove the symmetries by running the network with random weights.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="SPEC.json", help="Write the symmetries, to edit and give back.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="FILE.pt", help="Write the network as a HeteroData.")
    ] = None,
    spec: options.Spec = None,
    module: options.Module = None,
    config: options.Config = None,
    timm: options.Timm = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show which neurons may be permuted and rescaled, and why the others may not.

    Steps of a --chain are modules (0, conv1), activations (relu, tanh, gelu, ...), max_pool and flatten. A --module is
    a callable that gives a torch module and example inputs. Without weights, a config.json or --timm will do.

    Example: wembed inspect model.safetensors --chain "0 relu 2 relu flatten 5" --save spec.json
    """
    from wembed.cli.network import Sources
    from wembed.cli.opened import Opened, open_any
    from wembed.symmetry import save_spec

    output = Output.choose(format, json, quiet)
    opened = open_any(output, checkpoint, zoo, Sources(spec, tuple(chain or ()), module, config, timm))
    if save:
        save_spec(opened.spec, save)
    if graph:
        opened.save_graph(graph)
    rows = [row | {"why": row["why"] or None} for row in opened.spec.rows()]
    output.rows(*(collapsed(rows) if output.format == "table" else (rows, COLUMNS)))
    for note in opened.facts():
        output.note(note)
    if verify:
        from wembed.cli.proof import check_proof  # torch, which nothing else here needs

        check_proof(output, opened)
    if opened.spec.has_free and isinstance(opened, Opened) and checkpoint:
        output.next_command("permute", checkpoint, "-o", "permuted.safetensors")
