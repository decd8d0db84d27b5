"""What a merge is, will be and was, as `merge` shows it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wembed.cli.output import DECIMALS, Output

if TYPE_CHECKING:
    from wembed.encoder import Item
    from wembed.merging import Merged
    from wembed.merging.recipe.document import Recipe
    from wembed.merging.recipe.plan import Plan
    from wembed.merging.running import Outcome
    from wembed.models import Dataset

COLUMNS = ("method", "align", "out", "groups_aligned", "cost_before", "cost_after")
PLAN_COLUMNS = ("tensor", "status", "shape", "dtype", "bytes", "groups", "found")

_MINUTE = 60
_LONG = 90  # seconds
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def plan_rows(plan: "Plan") -> Iterator[dict[str, object]]:
    """Gives a row for each tensor."""
    for each in plan.tensors:
        row = (each.tensor, each.status, list(each.shape), each.dtype, each.bytes, list(each.groups), each.found)
        yield dict(zip(PLAN_COLUMNS, row, strict=True))


def note_plan(output: Output, plan: "Plan") -> None:
    """Says what a merge comes to."""
    merged = sum(each.status == "merged" for each in plan.tensors)
    copied = sum(each.status == "copied" for each in plan.tensors)
    output.note(f"{merged} tensors merged, {copied} copied, {len(plan.mismatches)} that differ")
    work = f"{_timed(plan.effort.seconds)} of one core, {sized(plan.effort.memory)} of memory beside the program's own"
    output.note(f"{sized(plan.bytes)} to be written, {work}")
    if plan.groups:
        output.note(f"{plan.groups} groups of neurons to be brought into one order")
    for note in plan.notes:
        output.note(note)


def note_outcome(output: Output, outcome: "Outcome") -> None:
    """Says what a person may want to know of a merge."""
    for note in outcome.notes:
        output.note(note)
    if found := outcome.differing:
        are = (
            "1 tensor of whole numbers differs" if len(found) == 1 else f"{len(found)} tensors of whole numbers differ"
        )
        output.warn(f"{are} between the networks, first {found[0]!r}: written as in the first, not averaged")


def note_patience(output: Output, plan: "Plan") -> None:
    """Says how long a merge takes, where that is long."""
    if plan.effort.seconds >= _LONG:
        output.note(f"{_timed(plan.effort.seconds)} of one core to come")


def _timed(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 1:
        return "less than a second"
    return f"about {seconds:.0f} s" if seconds < _LONG else f"about {seconds / _MINUTE:.0f} min"


def sized(count: float) -> str:
    """Bytes for people."""
    unit, name = next(((unit, name) for unit, name in _UNITS if count >= unit), (1, "bytes"))
    return f"{count / unit:.3g} {name}"


def warn_symmetries(output: Output, recipe: "Recipe", item: "Item") -> None:
    """Says what stands between an average and a good one."""
    spec = item[1]
    if recipe.alignment != "none":
        if not spec.has_free:
            output.warn("no neurons may be permuted, see `wembed inspect`: the weights are averaged in their own order")
        elif spec.tier == "inferred":
            output.note("which neurons may be permuted was inferred from names and shapes, not proven")
    if recipe.data is None and any(layer.kind == "batch_norm" for layer in spec.layers):
        output.note("batch-norm statistics are averages, give --data to recompute them")


def scored(
    output: Output, recipe: "Recipe", items: "Sequence[Item]", merged: "Merged", dataset: "Dataset"
) -> dict[str, object]:
    """Gives the accuracies of a merge and of its controls, by column; says where a control is better."""
    from wembed.merging import score_controls

    found = score_controls(items, merged, dataset, recipe.seed)
    scores: dict[str, object] = {
        "accuracy": found.merged.accuracy,
        "endpoints": [round(scores.accuracy, DECIMALS) for scores in found.endpoints],
        "naive": found.naive.accuracy,
        "naive_repaired": found.naive_repaired.accuracy,
        "noised_endpoint": found.noised_endpoint.accuracy,
    }
    if found.aligned.accuracy > found.merged.accuracy:
        better = f"{found.aligned.accuracy:.3f} against {found.merged.accuracy:.3f} on held-out data"
        output.warn(f"the aligned average is better than this merge, {better}: --method linear gives it")
    if recipe.method == "embedding":
        noised = found.noised_average
        scores |= {"aligned": found.aligned.accuracy, "noised_aligned": noised.accuracy if noised else None}
    return scores
