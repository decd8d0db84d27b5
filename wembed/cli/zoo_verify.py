"""`wembed zoo verify`."""

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import CheckpointRefusedError

COLUMNS = ("id", "path", "problem")


def verify(
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check that every file of the zoo is there and is what it was; exit 4 if one is not.

    Example: wembed zoo verify
    """
    from wembed.catalog import Zoo
    from wembed.zoo import verify as verify_zoo

    output = Output.choose(format, json, quiet)
    with output.progress("checking") as progress:
        problems = verify_zoo(Zoo.open(zoo), progress)
    output.rows([vars(problem) for problem in problems], COLUMNS)
    output.note(f"{len(problems)} problems found")
    if problems:
        output.note("what came from the Hub is mended by `wembed zoo rm ID` and another pull")
        raise typer.Exit(CheckpointRefusedError.exit_code)
