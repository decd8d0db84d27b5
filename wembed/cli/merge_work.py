"""A recipe in; the merge that it asks for, or the plan of it, out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.checkpoint.reader import DESCRIPTION_KEY
from wembed.cli.datasets import open_dataset
from wembed.cli.merge_opened import hub_names, open_encoder, open_items
from wembed.cli.merge_shown import (
    COLUMNS,
    PLAN_COLUMNS,
    note_outcome,
    note_patience,
    note_plan,
    plan_rows,
    scored,
    warn_symmetries,
)
from wembed.cli.output import Output
from wembed.errors import UsageError
from wembed.merging.output.place import check_place
from wembed.merging.recipe.check import check_recipe
from wembed.merging.recipe.document import Recipe
from wembed.merging.recipe.plan import plan
from wembed.merging.running import Tools, run

if TYPE_CHECKING:
    from wembed.encoder import Item

_PREDICTED = "The weights are the accuracies that were predicted of the networks."


@dataclass(frozen=True)
class Call:
    """What a call of `merge` says beside the recipe.

    Args:
        out: where to write; None for nowhere.
        spec: a file with the symmetries of all networks.
        zoo: whose ids and encoders to know.
        device: to run encoders on.
    """

    out: Path | None
    spec: Path | None
    zoo: Path
    device: str


def show_plan(output: Output, recipe: Recipe, call: Call) -> None:
    """Says tensor by tensor what a merge would do.

    Raises:
        CheckpointRefusedError: the networks are not mergeable.
    """
    _check(recipe, call)
    items = open_items(output, recipe, call.zoo, call.spec)
    planned = plan(recipe, items)
    output.rows(plan_rows(planned), PLAN_COLUMNS)
    note_plan(output, planned)
    planned.check()
    warn_symmetries(output, recipe, items[0])


def perform(output: Output, recipe: Recipe, call: Call) -> None:
    """Merges, writes, and says what came of it."""
    if call.out is None:
        raise UsageError("a merge is written to a file or a folder", "give -o OUT.safetensors, or --dry-run")
    _check(recipe, call)
    items = open_items(output, recipe, call.zoo, call.spec)
    planned = plan(recipe, items)
    planned.check()
    for note in planned.notes:
        output.note(note)
    note_patience(output, planned)
    dataset = open_dataset(recipe.data) if recipe.data else None
    sources = (_PREDICTED,) if recipe.weights else ()
    recipe = _weighted(output, recipe, call)
    with output.progress("merging") as progress:
        encoder, hubs = open_encoder(recipe, call.zoo, call.device), hub_names(recipe, call.zoo)
        tools = Tools(dataset, encoder, hubs, progress, sources)
        outcome = run(recipe, items, call.out, tools, planned)
    warn_symmetries(output, recipe, items[0])
    note_outcome(output, outcome)
    scores = scored(output, recipe, items, outcome.merged, dataset) if dataset and outcome.merged else {}
    told = (recipe.method, recipe.alignment, call.out, outcome.groups, outcome.cost_before, outcome.cost_after)
    row = dict(zip(COLUMNS, told, strict=True)) | scores
    output.rows([row], (*COLUMNS, *scores))
    _say_next(output, recipe, items, call)


def _check(recipe: Recipe, call: Call) -> None:
    check_recipe(recipe)
    if call.out and call.out.exists() and any(Path(name).exists() and call.out.samefile(name) for name in recipe.names):
        raise UsageError(f"{call.out} is the checkpoint itself, which is never changed", "give -o another path")
    if call.out:
        check_place(call.out)


def _weighted(output: Output, recipe: Recipe, call: Call) -> Recipe:
    """The recipe with the weights that it asks to predict."""
    if recipe.weights is None:
        return recipe
    from wembed.cli.merge_predicted import predicted_accuracies

    names = [entry.model for entry in recipe.models]
    found = predicted_accuracies(output, names, recipe.encoder, call.zoo, call.device)
    output.note(f"predicted accuracies: {', '.join(f'{value:.4f}' for value in found)}")
    return recipe.with_weights(found)


def _say_next(output: Output, recipe: Recipe, items: "list[Item]", call: Call) -> None:
    """What to do next: see the way between two networks, where these say how to run them; else look at the result."""
    if recipe.base is None and DESCRIPTION_KEY in items[0][0].metadata:
        output.next_command("path", *recipe.names[:2], zoo=call.zoo)
    else:
        output.next_command("inspect", call.out, zoo=call.zoo)
