"""`wembed doctor`."""

from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import WembedError

COLUMNS = ("check", "area", "status", "found", "hint")


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file of the zoo and compare its hash.")] = False,
    hub: Annotated[bool, typer.Option("--hub", help="Ask the Hub, too: the only use of the network.")] = False,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what wembed runs on and whether all is well: versions, devices, memory, disk, zoo, embeddings.

    It is what a report of an error needs: it shows no token and no name of a home folder. With -q only what fails is
    named; exit 1 if anything does.

    Example: wembed doctor --json
    """
    from wembed.doctor import Asked, examine

    output = Output.choose(format, json, quiet)
    with output.progress("checking") as progress:
        found = list(examine(Asked(zoo, store, deep, hub, progress)))
    failed = [check for check in found if check.status == "failed"]
    shown = failed if output.format == "ids" else found
    output.rows([vars(check) for check in shown], COLUMNS)
    output.note(f"{len(failed)} of {len(found)} checks fail" if failed else f"all is well, by {len(found)} checks")
    if failed:
        raise typer.Exit(WembedError.exit_code)
