"""`wembed compare`."""

import json as encoder
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.checkpoint import Checkpoint
    from wembed.cli.strangers import Strangers
    from wembed.kinship import Comparison

COLUMNS = ("layer", "kind", "similarity", "identical", "change")
EXIT_CODES = {"same": 0, "derived": 10, "unrelated": 11}

_CHECKPOINT = "A checkpoint: a file, a folder with shards, or an id of the zoo."
_HOW = {
    "equal": "equal up to the order and the scale of the neurons, and to rounding",
    "order": "by the order of the neurons, an exact test",
    "order of unproven neurons": "by the order along axes that are taken for neurons",
    "strangers": "beside {strangers} strangers of the zoo",
    "similarity": "by similarity alone",
    "none": "nothing to test",
}


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=_CHECKPOINT)],
    b: Annotated[str, typer.Argument(metavar="B", help=_CHECKPOINT)],
    seed: options.Seed = 0,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say whether two networks are the same, derived from each other or unrelated, and which layers they share.

    Exits with 0 for the same up to the order and scale of neurons, 10 for derived (one from the other, or both from a
    third), 11 for unrelated. A p-value is that of networks which were made independently.

    Example: wembed compare a.safetensors b.safetensors
    """
    import numpy as np

    from wembed.cli.network import Sources
    from wembed.cli.opened import open_one
    from wembed.kinship import compare as compare_items

    output = Output.choose(format, json, quiet)
    first, second = (open_one(output, name, zoo, Sources(spec)) for name in (a, b))
    strangers = _strangers(output, zoo, (first.checkpoint, second.checkpoint), seed)
    pair = (first.checkpoint, first.spec), (second.checkpoint, second.spec)
    found = compare_items(*pair, strangers.items, np.random.default_rng(seed), strangers.others)
    if output.is_json:
        indent = 2 if output.format == "json" else None
        sys.stdout.write(encoder.dumps(asdict(found), indent=indent, allow_nan=False) + "\n")
    else:
        output.rows([asdict(layer) for layer in found.layers], COLUMNS)
    _say(output, found)
    if found.verdict == "derived":
        output.next_command("path", a, b, zoo=zoo)
    raise typer.Exit(EXIT_CODES[found.verdict])


def _strangers(output: Output, root: Path, pair: "tuple[Checkpoint, Checkpoint]", seed: int) -> "Strangers":
    """What the pair is held against; nothing where there is no zoo."""
    from wembed.catalog import Zoo
    from wembed.cli.strangers import Strangers, open_strangers

    if not Zoo.is_zoo(root):
        return Strangers([], [], [])
    zoo = Zoo.open(root)
    found = open_strangers(zoo, zoo.rows(), *pair, seed)
    for warning in found.warnings:
        output.warn(warning)
    return found


def _say(output: Output, found: "Comparison") -> None:
    p = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    output.note(f"{found.verdict}{p}: {_HOW[found.method].format(strangers=found.strangers)}")
    for note in found.notes:
        output.note(note)
