"""A recipe and opened checkpoints in; whether they can be merged, tensor by tensor, and what comes of it, out.

Headers alone are looked at: no tensor is read, so that a plan of large files costs nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.checkpoint import Checkpoint
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError
from wembed.merging.aligned import common_spec
from wembed.merging.recipe.configs import differing_fields, noted_fields
from wembed.merging.recipe.document import Recipe
from wembed.merging.recipe.effort import Effort, effort_of
from wembed.merging.recipe.kinds import check_kinds
from wembed.merging.recipe.mismatches import FINE, TensorPlan, compared_tensors

_MOST_NAMED = 10  # mismatches in a message
_OUTPUT = "lm_head.weight"


@dataclass(frozen=True)
class Plan:
    """What a merge would do.

    Args:
        checkpoints: what is merged, the base or else the first in front.
        tensors: of all of them.
        differing: config entries that make them different networks, for people.
        groups: how many groups of neurons are brought into one order.
        effort: what it takes.
        notes: what a person may want to know.
    """

    checkpoints: tuple[Checkpoint, ...]
    tensors: tuple[TensorPlan, ...]
    differing: tuple[str, ...]
    groups: int
    effort: Effort
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of what is written."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def mismatches(self) -> list[TensorPlan]:
        """The tensors that cannot be merged."""
        return [tensor for tensor in self.tensors if tensor.status not in FINE]

    def check(self) -> None:
        """Raises a CheckpointRefusedError that names the first mismatches, where there are any."""
        found = [*self.differing, *(f"tensor {tensor.tensor!r} {tensor.found}" for tensor in self.mismatches)]
        if found:
            more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            message = f"{self._named()} not mergeable: {'; '.join(found[:_MOST_NAMED])}{more}"
            raise CheckpointRefusedError(message, self._hint())

    def _named(self) -> str:
        *others, last = [str(checkpoint.path) for checkpoint in self.checkpoints]
        return f"{', '.join(others)} and {last} are" if others else f"{last} is"

    def _hint(self) -> str:
        found = {tensor.status for tensor in self.mismatches}
        if "vocabulary" in found:
            return "their vocabularies differ: resize the embeddings to one tokenizer first"
        if self._lacks_output_alone():
            return "one keeps its output embedding apart, or a tied copy of it: save them alike"
        if found == {"dtype"}:
            return "save the weights as floats of 16 or more bits first"
        return "merging takes networks of one architecture, every layer as wide as its twin"

    def _lacks_output_alone(self) -> bool:
        """Whether the tensors of networks of one type differ in nothing but who holds an output embedding."""
        types = {str(checkpoint.config.get("model_type")) for checkpoint in self.checkpoints}
        found = self.mismatches
        return len(types) == 1 and all(each.status == "missing" and each.tensor.endswith(_OUTPUT) for each in found)


def plan(recipe: Recipe, items: Sequence[Item]) -> Plan:
    """What a recipe would do.

    Args:
        recipe: a checked one.
        items: its networks with their symmetries, in the order of its names.

    Raises:
        CheckpointRefusedError: one holds no weights of a network but adapters, or quantised ones; or all tensors fit,
            and what is known of the symmetries does not.
    """
    checkpoints = tuple(checkpoint for checkpoint, _ in items)
    check_kinds(checkpoints)
    spec = items[0][1]
    is_aligned = recipe.alignment != "none"
    tensors = compared_tensors(recipe, checkpoints, spec)
    differing = tuple(differing_fields(checkpoints))
    if is_aligned and not differing and all(tensor.status in FINE for tensor in tensors):
        spec = common_spec(items)
    groups = sum(not atom.frozen for atom in spec.atoms.values()) if is_aligned else 0
    notes = (*_same_files(checkpoints), *noted_fields(checkpoints))
    return Plan(checkpoints, tensors, differing, groups, effort_of(recipe, checkpoints, spec), notes)


def _same_files(checkpoints: Sequence[Checkpoint]) -> Iterator[str]:
    """The checkpoints that stand there more than once."""
    seen: dict[frozenset[Path], Path] = {}
    for checkpoint in checkpoints:
        files = frozenset(file.resolve() for file in checkpoint.files)
        if files and files in seen:
            yield f"{seen[files]} and {checkpoint.path} are the same file"
        seen.setdefault(files, checkpoint.path)
