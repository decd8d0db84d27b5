"""`wembed zoo list`."""

from wembed.cli import options
from wembed.cli.output import Output

COLUMNS = ("id", "source", "architecture", "params", "dataset", "accuracy", "sha256", "tier", "path")


def list_rows(
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the checkpoints of the zoo.

    Example: wembed zoo list --format csv > zoo.csv
    """
    from wembed.catalog import Zoo

    output = Output.choose(format, json, quiet)
    opened = Zoo.open(zoo)
    rows = opened.rows()
    output.rows([row.as_dict() | {"path": opened.path_of(row)} for row in rows], COLUMNS)
    output.next_command(*(("search", rows[0].id) if rows else ("zoo", "add", "FOLDER")), zoo=zoo)
