"""The vocabulary of shared options: a flag means the same in every command."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.device import CUDA, resolve_device
from wembed.errors import UsageError

DEFAULT_ZOO = Path("zoo")
FormatName = Literal["auto", "table", "json", "jsonl", "csv", "tsv", "ids"]


def _there(device: str) -> str:
    """Ends every command that takes a device in one line, before it does anything, where that device is not there."""
    if device != "auto":
        resolve_device(device)
    return device


def _cuda_there(context: typer.Context, gpu: bool) -> bool:
    """The same for --gpu, which stands for --device cuda whatever a command's own device is."""
    if gpu:
        source = context.get_parameter_source("device")  # an eager option, so it is read already
        if source is not None and source.name == "DEFAULT":
            context.params["device"] = CUDA
        resolve_device(device_name(context.params["device"], gpu))
    return gpu


Zoo = Annotated[Path, typer.Option("--zoo", envvar="WEMBED_ZOO", metavar="DIR", help="The zoo.")]
Store = Annotated[
    str | None, typer.Option("--store", metavar="URI", help="Where embeddings are kept; default: in the zoo.")
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="fingerprint, stats, pretrained, the zoo's, or a folder; default: the zoo's newest, else fingerprint.",
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.", callback=_there, is_eager=True),
]
Gpu = Annotated[bool, typer.Option("--gpu", help="The same as --device cuda.", callback=_cuda_there)]
Seed = Annotated[int, typer.Option("--seed", min=0, help="All randomness.")]
Format = Annotated[
    FormatName, typer.Option("--format", help="auto: a table on a terminal, TSV with a header in a pipe.")
]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only ids; no progress, no notes.")]
Spec = Annotated[Path | None, typer.Option("--spec", metavar="FILE", help="The symmetries, as a spec file.")]
Module = Annotated[
    str | None, typer.Option("--module", metavar="PKG:FACTORY", help="What gives the network and example inputs.")
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The network, as a config.json of transformers or timm.")
]
Timm = Annotated[str | None, typer.Option("--timm", metavar="NAME", help="The network, by its name in timm.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="NAME[=PATH]", help="What to run the networks on: digits, ..., or a file of your own."
    ),
]
K = Annotated[int, typer.Option("-k", min=1, help="How many.")]

CHECKPOINT = "a file, a folder with shards, an id of the zoo, or - for paths on standard input"
Checkpoint = Annotated[str, typer.Argument(metavar="CKPT", help=f"A checkpoint: {CHECKPOINT}.")]


def device_name(device: str, gpu: bool) -> str:
    """Gives the device that is asked for.

    Raises:
        UsageError: if --gpu and --device contradict each other.
    """
    if gpu and not device.startswith(("auto", CUDA)):
        raise UsageError(f"--gpu and --device {device} contradict each other", "give one of them")
    return CUDA if gpu and device == "auto" else device


def with_standard_input(arguments: Sequence[str]) -> list[str]:
    """Gives the arguments, with the lines of standard input in the place of a `-`.

    Raises:
        UsageError: if there are none.
    """
    expanded: list[str] = []
    for argument in arguments:
        lines = [line.rstrip("\r\n") for line in sys.stdin] if argument == "-" else [argument]
        expanded += [line for line in lines if line]
    if not expanded:
        raise UsageError("no paths on standard input", "pipe one path per line into it")
    return expanded
