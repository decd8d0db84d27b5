"""`wembed inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output

COLUMNS = ("group", "size", "kind", "free", "scale", "why", "tensors")


def inspect(
    checkpoint: options.Checkpoint,
    chain: Annotated[
        list[str] | None,
        typer.Option("--chain", metavar="STEPS", help='The order of a plain chain, as in "0 relu 2"; one for each.'),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="SPEC.json", help="Write the symmetries, to edit and give back.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="FILE.pt", help="Write the network as a HeteroData.")
    ] = None,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show which neurons may be permuted and rescaled, and why the others may not.

    Steps of a --chain are modules (0, conv1), activations (relu, tanh, gelu, ...), max_pool and flatten.

    Example: wembed inspect model.safetensors --chain "0 relu 2 relu flatten 5" --save spec.json
    """
    from wembed.cli.opened import open_one
    from wembed.symmetry import save_spec

    output = Output.choose(format, json, quiet)
    opened = open_one(output, checkpoint, zoo, spec, chain or ())
    if save:
        save_spec(opened.spec, save)
    if graph:
        opened.save_graph(graph)
    output.rows([row | {"why": row["why"] or None} for row in opened.spec.rows()], COLUMNS)
    for note in opened.facts():
        output.note(note)
    if opened.spec.has_free:
        output.next_command("permute", checkpoint, "-o", "permuted.safetensors")
