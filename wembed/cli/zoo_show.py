"""`wembed zoo show`."""

from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output


def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="An id of the zoo, or a path in it.")],
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show all that is known about one checkpoint, with the tree of its family.

    Example: wembed zoo show resnet20-12fca82f
    """
    from wembed.catalog import COLUMNS, Zoo, find_family, find_row
    from wembed.cli.family_tree import print_tree, relative

    output = Output.choose(format, json, quiet)
    opened = Zoo.open(zoo)
    row = find_row(opened, id)
    family = find_family(opened, row)
    values = row.as_dict() | {"path": opened.path_of(row), "children": list(family.children)}
    columns = [*COLUMNS, "children"]
    if output.is_json or output.format == "ids":
        relatives = [relative(other) for other in family.root.rows()]
        output.rows([values | {"family": relatives}], [*columns, "family"])
    else:
        output.rows([{"column": name, "value": values[name]} for name in columns], ["column", "value"])
    if output.format == "table":
        print_tree(family)
    output.next_command("search", row.id, zoo=zoo)
