"""`wembed zoo duplicates`."""

from typing import TYPE_CHECKING

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.zoo.duplicates import Duplicate, Duplicates

COLUMNS = ("group", "id", "keep", "reason", "megabytes", "saved", "path")
_MEGABYTE = 1e6


def duplicates(
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find checkpoints that are one network: the same up to the order and scale of neurons, and to rounding.

    Nothing is deleted. With -q only the ids that could go: wembed zoo duplicates -q | wembed zoo rm --dry-run -

    Example: wembed zoo duplicates
    """
    from wembed.catalog import Zoo
    from wembed.cli.zoo_vectors import fingerprints
    from wembed.zoo.duplicates import find_duplicates

    output = Output.choose(format, json, quiet)
    opened = Zoo.open(zoo)
    vectors = fingerprints(output, opened, store)
    with output.progress("comparing") as progress:
        found = find_duplicates(opened, opened.rows(), vectors.by_id, progress)
    rows = [
        _row(number, entry) | {"path": opened.path_of(entry.row)}
        for number, group in enumerate(found.groups, start=1)
        for entry in group
        if output.format != "ids" or not entry.keep
    ]
    output.rows(rows, COLUMNS)
    output.note(_note(found))
    errors = [failure.error for failure in vectors.failures] + found.unread
    report_failures(output, errors, len(vectors.by_id))
    output.next_command(*(("zoo", "rm", "--dry-run", *_first_to_go(found)) if rows else ("zoo", "list")), zoo=zoo)


def _row(group: int, entry: "Duplicate") -> dict[str, object]:
    size, saved = entry.row.bytes / _MEGABYTE, entry.saved / _MEGABYTE
    return {
        "group": group,
        "id": entry.row.id,
        "keep": entry.keep,
        "reason": entry.reason,
        "megabytes": size,
        "saved": saved,
    }


def _note(found: "Duplicates") -> str:
    more = sum(len(group) - 1 for group in found.groups)
    return f"{more} checkpoints are there again, {found.saved / _MEGABYTE:.1f} MB could be saved"


def _first_to_go(found: "Duplicates") -> list[str]:
    return [entry.row.id for entry in found.groups[0] if not entry.keep][:1] if found.groups else []
