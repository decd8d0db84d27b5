"""`wembed permute`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output

COLUMNS = ("out", "seed", "rescaled", "sha256")


def permute(
    checkpoint: options.Checkpoint,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.safetensors", help="What to write.")],
    rescale: Annotated[
        bool, typer.Option("--rescale", help="Rescale neurons too, where that changes nothing.")
    ] = False,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Rescale, mix heads and low ranks, and turn rotary planes too.")
    ] = False,
    seed: options.Seed = 0,
    spec: options.Spec = None,
    module: options.Module = None,
    config: options.Config = None,
    timm: options.Timm = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a copy that computes the same function, its neurons shuffled.

    Example: wembed permute model.safetensors -o permuted.safetensors --seed 1
    """
    import numpy as np

    from wembed.checkpoint import open_checkpoint
    from wembed.cli.network import Sources
    from wembed.cli.opened import check_out, open_one
    from wembed.symmetry import permute as write_permuted
    from wembed.symmetry import permute_continuously

    output = Output.choose(format, json, quiet)
    opened = open_one(output, checkpoint, zoo, Sources(spec, module=module, config=config, timm=timm))
    check_out(out, opened.checkpoint)
    network = (opened.checkpoint, opened.spec, out, np.random.default_rng(seed))
    notices = permute_continuously(*network) if continuous else write_permuted(*network, rescale)
    output.notices(checkpoint, notices)
    sha256 = open_checkpoint(out).file_hash()
    rescaled = (rescale or continuous) and opened.spec.has_scales
    output.rows([{"out": out, "seed": seed, "rescaled": rescaled, "sha256": sha256}], COLUMNS)
    output.next_command("search", out, zoo=zoo)
