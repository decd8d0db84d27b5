"""A recipe and its opened checkpoints in; the merged network at its place, with its card and what lies beside it, out.

Fine-tunes that are merged as they are, and large networks, go from file to file, one tensor at a time. Small ones are
matched in memory, where units can be repaired and norms renewed on data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.checkpoint.staging import remove_left, staged
from wembed.encoder import Encoder, Item
from wembed.errors import UsageError
from wembed.merging.aligned import Aligned, align, common_spec
from wembed.merging.combine import Merged, MergeOptions, kept_metadata, merge, save_merged
from wembed.merging.copies import differing_copies
from wembed.merging.embedding import merge_by_embedding
from wembed.merging.matching.moving import is_held
from wembed.merging.output.beside import CARD, copy_beside
from wembed.merging.output.card import Made, card_of, input_of, library_of, metadata_of
from wembed.merging.output.place import SUFFIX, check_place, check_room
from wembed.merging.progress import Progress, silent
from wembed.merging.recipe.check import check_recipe, combination_of
from wembed.merging.recipe.document import Recipe, bytes_of, dtype_code
from wembed.merging.recipe.plan import Plan, plan
from wembed.merging.streamed import Form, Source, whole_of, write_weights
from wembed.models import Dataset

_BY_DATA = (
    "Where the nearest by weights loses more on training inputs than the networks do, that loss chose the order, and "
    "the distance is not the least."
)
_FURTHER = "the networks are further apart than before: on data, alignment seeks an average that loses little"


@dataclass(frozen=True)
class Tools:
    """What a recipe names and a merge works with.

    Args:
        dataset: of the recipe's `data`.
        encoder: of the recipe's `encoder`.
        hubs: name of a network in the recipe -> its repository on the Hub.
        progress: takes how many bytes are written, of how many.
        told: where the recipe's numbers come from, a sentence each, for the card.
    """

    dataset: Dataset | None = None
    encoder: Encoder | None = None
    hubs: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = silent
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a merge.

    Args:
        groups: how many groups of neurons were brought into one order.
        cost_before: squared distance of the others to the first before that, None where nobody looked.
        cost_after: the same after it.
        bytes: of the weights.
        merged: the network, where it was made in memory.
        notes: what a person may want to know.
        differing: tensors of whole numbers that are the first one's, and other ones in another network.
    """

    groups: int
    cost_before: float | None
    cost_after: float | None
    bytes: int
    merged: Merged | None = None
    notes: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


def run(
    recipe: Recipe, items: Sequence[Item], out: Path, tools: Tools | None = None, planned: Plan | None = None
) -> Outcome:
    """Merges networks as a recipe says and writes the result, whole or not at all.

    Args:
        recipe: what to do.
        items: its networks with their symmetries, in the order of its names.
        out: a new .safetensors file, or the name of a new folder, which gets a card and what lies beside the base.
        tools: what the recipe names.
        planned: what `plan` says of these networks, where that was asked before.

    Raises:
        UsageError: the recipe contradicts itself or lacks predicted weights, or something is at `out`.
        CheckpointRefusedError: the networks are not mergeable.
        NotFoundError: the folder above `out` is missing.
        WembedError: the disk is full or refuses.
    """
    check_recipe(recipe)
    check_place(out)
    if recipe.weights:
        raise UsageError(
            "weights are to be predicted, and are not given", "predict them, and give the recipe with them"
        )
    tools = tools or Tools()
    planned = planned or plan(recipe, items)
    planned.check()
    remove_left(out)
    check_room(out, planned.bytes)
    work = _Work(recipe, items, planned, tools)
    return replace(work.done(out), differing=tuple(differing_copies(planned.checkpoints)))


@dataclass(frozen=True)
class _Work:
    """One merge."""

    recipe: Recipe
    items: Sequence[Item]
    planned: Plan
    tools: Tools

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return self.planned.checkpoints

    @property
    def dtype(self) -> str | None:
        return dtype_code(self.recipe.dtype) if self.recipe.dtype else None

    def done(self, out: Path) -> Outcome:
        """In the way that needs least memory."""
        recipe = self.recipe
        if recipe.is_streamed:
            return self.streamed(out, [Source(checkpoint) for checkpoint in self.checkpoints])
        is_large = not is_held(self.items[0][1]) and recipe.data is None and recipe.method != "embedding"
        return self.moved(out) if is_large else self.in_memory(out)

    def moved(self, out: Path) -> Outcome:
        """Matched tensor by tensor, then from file to file, each moved on its way."""
        spec, recipe = common_spec(self.items), self.recipe
        seen_by = self.tools.encoder if recipe.alignment == "embedding" else None
        aligned = align(self.checkpoints, spec, np.random.default_rng(recipe.seed), None, seen_by)
        sources = [
            Source(checkpoint, action, spec)
            for checkpoint, action in zip(self.checkpoints, aligned.actions, strict=True)
        ]
        found = self.streamed(out, sources, _alignment_told(aligned))
        return replace(found, groups=aligned.groups, cost_before=aligned.cost_before, cost_after=aligned.cost_after)

    def streamed(self, out: Path, sources: Sequence[Source], told: tuple[str, ...] = ()) -> Outcome:
        """From file to file."""
        base, models = (sources[0], sources[1:]) if self.recipe.base else (None, sources)
        how = combination_of(self.recipe)
        made = self._made(told)
        size = bytes_of(self.recipe.shard_size) if self.recipe.shard_size else None
        form = Form(self.dtype, size, kept_metadata(self.checkpoints) | metadata_of(made))
        with staged(out) as place:
            notes = self._with_card(place, out, made)
            write_weights(models, base, how, place, form, self.tools.progress)
        return Outcome(0, None, None, self.planned.bytes, notes=notes)

    def in_memory(self, out: Path) -> Outcome:
        """Matched, combined, renewed and written."""
        merged = self._merged()
        aligned = merged.aligned
        costs = (aligned.groups, aligned.cost_before, aligned.cost_after)
        by_data = self.tools.dataset is not None and bool(aligned.groups)
        made = self._made((*_alignment_told(aligned), *([_BY_DATA] if by_data else [])))
        told = metadata_of(made)
        further = (_FURTHER,) if by_data and aligned.cost_after > aligned.cost_before else ()
        if out.suffix == SUFFIX:
            save_merged(merged, self.checkpoints, out, told, self.dtype)
            return Outcome(*costs, self.planned.bytes, merged, further)
        with staged(out) as place:
            notes = self._with_card(place, out, made)
            save_merged(merged, self.checkpoints, place / whole_of(self.checkpoints[0]), told, self.dtype)
        return Outcome(*costs, self.planned.bytes, merged, (*notes, *self._in_one_file(), *further))

    def _in_one_file(self) -> tuple[str, ...]:
        size = self.recipe.shard_size
        is_over = size is not None and bytes_of(size) < self.planned.bytes
        return (f"written in one file, larger than {size}, as networks merged in memory are",) if is_over else ()

    def _merged(self) -> Merged:
        recipe, tools = self.recipe, self.tools
        options = MergeOptions(
            align=recipe.alignment,
            dataset=tools.dataset,
            seed=recipe.seed,
            how=combination_of(recipe),
            encoder=tools.encoder,
        )
        if recipe.method != "embedding":
            return merge(self.items, options)
        if tools.encoder is None:
            raise UsageError("--method embedding sees networks through an encoder", "give one with --encoder")
        return merge_by_embedding(self.items, options, tools.encoder, maximise=recipe.maximise)

    def _made(self, told: tuple[str, ...]) -> Made:
        how, count = combination_of(self.recipe), len(self.recipe.models)
        weights = () if how.method == "stock" else how.weights_of(count)
        if not self.recipe.base:
            weights = tuple(weight / sum(weights) for weight in weights)
        inputs = tuple(
            input_of(name, checkpoint, self.tools.hubs.get(name, ""))
            for name, checkpoint in zip(self.recipe.names, self.checkpoints, strict=True)
        )
        return Made(self.recipe, inputs, weights, library_of(self.checkpoints[0].config), (*self.tools.told, *told))

    def _with_card(self, place: Path, out: Path, made: Made) -> tuple[str, ...]:
        """Make a folder with all but the weights; gives what a person may miss. A file has no room for that."""
        if out.suffix == SUFFIX:
            return ()
        place.mkdir()
        (place / CARD).write_text(card_of(made, out.name), encoding="utf-8")
        return tuple(copy_beside(self.checkpoints[0], place, self.recipe.dtype))


def _alignment_told(aligned: Aligned) -> tuple[str, ...]:
    if not aligned.groups:
        return ()
    before, after = aligned.cost_before, aligned.cost_after
    return (f"{aligned.groups} groups of neurons aligned, squared distance {before:.6g} before, {after:.6g} after.",)
