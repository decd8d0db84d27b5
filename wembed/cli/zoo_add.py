"""`wembed zoo add`."""

from pathlib import Path
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

COLUMNS = ("id", "path", "status", "params", "structure", "tier", "free", "note")


def add(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders, or - for paths on stdin.")],
    metadata: Annotated[
        Path | None, typer.Option("--metadata", metavar="rows.csv", help="What you know: path, accuracy, dataset, ...")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the zoo.")] = False,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Take in checkpoints that are already here; they stay where they are, and are never changed.

    Example: wembed zoo add checkpoints/ --metadata rows.csv
    """
    from wembed.catalog import Zoo, load_metadata
    from wembed.cli.added import added_row, summary
    from wembed.symmetry import load_spec
    from wembed.zoo import AddOptions
    from wembed.zoo import add as add_to_zoo

    output = Output.choose(format, json, quiet)
    found = [Path(path) for path in options.with_standard_input(paths)]
    given = AddOptions(load_metadata(metadata) if metadata else None, load_spec(spec) if spec else None, copy)
    with output.progress("reading") as progress:
        result = add_to_zoo(Zoo(zoo), found, given, progress)
    output.rows([added_row(file) for file in result.files], COLUMNS)
    for file in result.files:
        output.notices(file.path, file.notices)
    if result.unmatched:
        output.warn(f"{len(result.unmatched)} lines of {metadata} are about no file added, first {result.unmatched[0]}")
    if result.kept:
        output.note(summary(result))
    report_failures(output, [file.error for file in result.files if file.error], len(result.kept))
    output.next_command("search", result.kept[0].path, zoo=zoo)
