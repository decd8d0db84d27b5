"""`wembed zoo rm`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.zoo import Removal

COLUMNS = ("id", "path", "file", "children")
_BUILT = "wembed zoo build"  # as their source says


def rm(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of the zoo, or - for ids on stdin.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove several from a terminal.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Remove checkpoints from the zoo; files are deleted only where they lie in the zoo's own folder.

    Example: wembed zoo rm resnet20-12fca82f --dry-run
    """
    from wembed.catalog import Zoo, find_rows
    from wembed.zoo import plan_removal, remove

    output = Output.choose(format, json, quiet)
    opened = Zoo.open(zoo)
    rows = list({row.id: row for row in find_rows(opened, options.with_standard_input(ids))}.values())
    if len(rows) > 1 and sys.stdin.isatty() and not (yes or dry_run):
        raise UsageError(f"{len(rows)} checkpoints would be removed", "say --yes, or look first with --dry-run")
    removals = plan_removal(opened, rows) if dry_run else remove(opened, rows)
    output.rows([_row(removal, opened.path_of(removal.row)) for removal in removals], COLUMNS)
    for note in _notes(removals, dry_run):
        output.note(note)
    report_failures(output, [removal.error for removal in removals if removal.error], len(removals))
    output.next_command("zoo", "list", zoo=zoo)


def _row(removal: "Removal", path: Path) -> dict[str, object]:
    return {"id": removal.row.id, "path": path, "file": removal.file, "children": list(removal.children)}


def _notes(removals: "Sequence[Removal]", is_planned: bool) -> list[str]:
    files = sum(removal.file == "deleted" for removal in removals)
    counts = f"{len(removals)} rows and {files} files"
    notes = [f"{counts} would be removed, nothing is" if is_planned else f"{counts} removed"]
    children = {child for removal in removals for child in removal.children}
    if children:
        notes.append(f"{len(children)} children stay, and go on naming what they were made from")
    if any(removal.row.source == _BUILT for removal in removals):
        notes.append("a later build of the same manifest makes them again")
    return notes
