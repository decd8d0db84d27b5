"""The command `wembed`: which commands there are, each loaded when it is called."""

from typing import Annotated

import typer

import wembed
from wembed.cli.group import LazyGroup

COMMANDS = {
    "zoo": "wembed.cli.app:zoo",
    "train": "wembed.cli.train:train",
    "embed": "wembed.cli.embed:embed",
    "search": "wembed.cli.search:search",
    "compare": "wembed.cli.compare:compare",
    "inspect": "wembed.cli.inspect:inspect",
    "permute": "wembed.cli.permute:permute",
    "merge": "wembed.cli.merge:merge",
    "path": "wembed.cli.path:path",
    "predict": "wembed.cli.predict:predict",
    "evaluate": "wembed.cli.evaluate:evaluate",
    "report": "wembed.cli.report:report",
    "experiment": "wembed.cli.experiment:experiment",
    "doctor": "wembed.cli.doctor:doctor",
}
ZOO_COMMANDS = {
    "build": "wembed.cli.zoo_build:build",
    "pull": "wembed.cli.zoo_pull:pull",
    "add": "wembed.cli.zoo_add:add",
    "list": "wembed.cli.zoo_list:list_rows",
    "show": "wembed.cli.zoo_show:show",
    "verify": "wembed.cli.zoo_verify:verify",
    "duplicates": "wembed.cli.zoo_duplicates:duplicates",
    "lineage": "wembed.cli.zoo_lineage:lineage",
    "rm": "wembed.cli.zoo_rm:rm",
    "export": "wembed.cli.zoo_export:export",
    "manifests": "wembed.cli.zoo_manifests:manifests",
}


class _Commands(LazyGroup):
    lazy = COMMANDS


class _ZooCommands(LazyGroup):
    lazy = ZOO_COMMANDS


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"wembed {wembed.__version__}")
        raise typer.Exit


app = typer.Typer(cls=_Commands, add_completion=False, pretty_exceptions_enable=False)
zoo = typer.Typer(cls=_ZooCommands, add_completion=False)


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Search a zoo of neural-network checkpoints by their weights, whatever the order and scale of the neurons.

    Start with `wembed experiment --small`, or with `wembed zoo add FOLDER` and `wembed search CHECKPOINT`.
    """


@zoo.callback()
def _zoo() -> None:
    """Train a zoo, fetch one or take checkpoints in; list them, check them, remove them."""
