"""How a command ends when some of its inputs could not be done."""

from collections.abc import Sequence

import typer

from wembed.cli.output import Output
from wembed.errors import PartialError, WembedError


def report_failures(output: Output, errors: Sequence[WembedError], done: int) -> None:
    """Says every failure on its line, and exits if there is any.

    Raises:
        typer.Exit: with 6 if something was done, else with the first failure's own code.
    """
    for error in errors:
        output.failure(error)
    if errors:
        raise typer.Exit(PartialError.exit_code if done else errors[0].exit_code)
