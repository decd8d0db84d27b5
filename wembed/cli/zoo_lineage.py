"""`wembed zoo lineage`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wembed.catalog import CatalogRow, Zoo
    from wembed.zoo.lineage import Agreement, Descent, Lineage

COLUMNS = (
    "id", "parent", "other_parent", "derivation", "probability", "similarity", "change", "p_value", "identical",
    "compared", "direction", "kin", "catalog_parent",
)  # fmt: skip
LAYER_COLUMNS = ("id", "beside", "layer", "kind", "similarity", "identical", "change")


def lineage(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Also as a .dot, .graphml or .json file.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option("--layers", metavar="ID", help="Of this one only, layer by layer beside its parent.")
    ] = None,
    seed: options.Seed = 0,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the likely parent of each checkpoint by its weights, with the evidence; trees on a terminal.

    Example: wembed zoo lineage -o lineage.graphml
    """
    from wembed.catalog import Zoo, find_row
    from wembed.cli.output_file import check_output_file
    from wembed.zoo.lineage import agreement, check_suffix, save_lineage

    output = Output.choose(format, json, quiet)
    if out:
        check_suffix(out)
        check_output_file(out)
    opened = Zoo.open(zoo)
    asked = find_row(opened, layers) if layers else None
    found = _found(output, opened, store, seed)
    if out:
        save_lineage(found.descents, out)
    if asked:
        own = next((descent for descent in found.descents if descent.row.id == asked.id), None)
        output.rows(_layer_rows(opened, own, seed), LAYER_COLUMNS)
    else:
        _show(output, found.descents)
    for note in _notes(found.descents, agreement(found.descents, opened.rows())):
        output.note(note)
    report_failures(output, found.unread, len(found.descents))
    output.next_command("zoo", "duplicates", zoo=zoo)


def _found(output: Output, zoo: "Zoo", store: str | None, seed: int) -> "Lineage":
    import numpy as np

    from wembed.cli.zoo_vectors import fingerprints
    from wembed.zoo.lineage import find_lineage

    vectors = fingerprints(output, zoo, store)
    with output.progress("reading") as progress:
        return find_lineage(zoo, zoo.rows(), vectors.by_id, np.random.default_rng(seed), progress)


def _show(output: Output, descents: "Sequence[Descent]") -> None:
    from wembed.cli.lineage_tree import print_lineage

    if output.format == "table":
        print_lineage(descents)
    else:
        output.rows([_row(own) for own in descents], COLUMNS)


def _row(own: "Descent") -> dict[str, object]:
    names = [name for name in COLUMNS if name not in ("id", "parent", "other_parent", "kin", "catalog_parent")]
    kin = {name: _id(getattr(own, name)) for name in ("parent", "other_parent", "kin")}
    return {"id": own.row.id, "catalog_parent": own.row.parent} | {name: getattr(own, name) for name in names} | kin


def _id(row: "CatalogRow | None") -> str | None:
    return row.id if row else None


def _layer_rows(zoo: "Zoo", own: "Descent | None", seed: int) -> list[dict[str, object]]:
    """The layers of a checkpoint beside those of its likely parent, or of its next of kin."""
    import numpy as np

    from wembed.kinship import why
    from wembed.zoo import open_items

    parent = (own.parent or own.kin) if own else None
    if own is None or parent is None:
        return []
    first, second = open_items(zoo, [parent, own.row])
    found = why(first, second, np.random.default_rng(seed))
    return [{"id": own.row.id, "beside": parent.id} | vars(layer) for layer in found]


def _notes(descents: "Sequence[Descent]", agreed: "Agreement") -> "Iterator[str]":
    parents = sum(own.parent is not None for own in descents)
    open_ones = sum(own.parent is None and own.kin is not None for own in descents)
    yield (
        f"{parents} of {len(descents)} have a likely parent, of {open_ones} more which kin is the parent cannot be told"
    )
    if agreed.known and agreed.recall is not None:
        yield (
            f"the catalog names the parents of {agreed.known}: {agreed.found} of them found (recall "
            f"{agreed.recall:.3f}), {agreed.kin} more are the next of kin"
        )
    if agreed.known and agreed.precision is not None:
        judged = f"{agreed.right} of {agreed.judged} likely parents that the catalog can judge are right"
        yield f"{judged} (precision {agreed.precision:.3f})"
