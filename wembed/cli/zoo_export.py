"""`wembed zoo export`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

Format = Literal["csv", "tsv", "parquet", "json", "jsonl"]


def export(
    format: Annotated[
        Format | None, typer.Option("--format", help="Of the table; default: by the ending of FILE, else csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes; default: stdout.")
    ] = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    quiet: options.Quiet = False,
) -> None:
    """Write the whole catalog as a table, every hyperparameter a column of its own in csv, tsv and parquet.

    Example: wembed zoo export -o zoo.parquet
    """
    from wembed.catalog import Zoo
    from wembed.zoo import export_rows, format_of, save_rows

    output = Output.choose("auto", json=False, quiet=quiet)
    opened = Zoo.open(zoo)
    chosen = format or (format_of(out) if out else "csv")
    if chosen is None:
        raise UsageError(f"{out} does not say in which format to write", "give --format csv, parquet, json, ...")
    if out:
        save_rows(opened, chosen, out)
        output.note(f"{len(opened.rows())} rows in {out}")
    elif chosen == "parquet":
        raise UsageError("parquet is not for a terminal or a pipe", "give a file with -o")
    else:
        sys.stdout.write(export_rows(opened, chosen).decode())
