"""A group in; the children that its runs get out, round by round: each needs only what earlier rounds made."""

from collections import defaultdict
from typing import NamedTuple, get_args

from wembed.errors import UsageError
from wembed.models import Dataset
from wembed.zoo.builder.lineage.child import Child, Derivation
from wembed.zoo.builder.manifest import Group
from wembed.zoo.builder.manifest.parts import WITH_CHILDREN
from wembed.zoo.builder.runs import plan_runs

_FEWEST_CLASSES = 4  # that can be halved, or told by parity, and leave a task that is neither trivial nor the same
_OF_CLASSES: tuple[Derivation, ...] = ("classes", "head")
_MERGED_WITH: tuple[Derivation, ...] = ("data", "continued")  # the fine-tunes whose task is the parent's


class _Parent(NamedTuple):
    checkpoint: str
    name: str


def plan_children(group: Group, seed: int, dataset: Dataset) -> list[list[Child]]:
    """The children of a group's runs, in rounds: those of the runs, then those that need them, and so on.

    Within a round they stand by derivation. A merge comes a round after the child that its parent is merged with, which
    is one of that parent's own fine-tunes.

    Args:
        group: whose runs, without their twins.
        seed: of the build.
        dataset: that of the group.

    Raises:
        UsageError: if there is a kind of child that the data set, or the choice of the other kinds, does not allow.
    """
    _check(group, dataset)
    rounds: dict[int, list[Child]] = defaultdict(list)
    parents = [_Parent(f"{run.name}-step{group.training.steps}", run.name) for run in plan_runs(group, seed)]
    for generation in range(1, group.children.generations + 1):
        born = [
            child
            for derivation, count in _counts(group).items()
            for parent in parents
            for child in _born(group, seed, parent, derivation, count, generation)
        ]
        for child in born:
            rounds[child.generation].append(child)
        parents = [_Parent(child.name, child.name) for child in born if child.derivation in WITH_CHILDREN]
    return [rounds[generation] for generation in sorted(rounds)]


def _counts(group: Group) -> dict[Derivation, int]:
    counts: dict[Derivation, int] = {name: getattr(group.children, name) for name in get_args(Derivation)}
    return {name: count for name, count in counts.items() if count}


def _born(group: Group, seed: int, parent: _Parent, derivation: Derivation, count: int, generation: int) -> list[Child]:
    """One parent's children of one kind."""
    if derivation != "merged":
        return [Child(group, *parent, derivation, number, generation, seed) for number in range(count)]
    tuned = next(name for name in _MERGED_WITH if name in _counts(group))
    other = Child(group, *parent, tuned, 0, generation, seed).name
    return [Child(group, *parent, derivation, number, generation + 1, seed, other) for number in range(count)]


def _check(group: Group, dataset: Dataset) -> None:
    counts = _counts(group)
    wanted = [name for name in _OF_CLASSES if name in counts]
    if wanted and (dataset.kind == "text" or dataset.classes < _FEWEST_CLASSES):
        found = "text" if dataset.kind == "text" else f"{dataset.classes} in {dataset.name}"
        message = f"{wanted[0]}: at least {_FEWEST_CLASSES} classes are needed, found {found}"
        raise UsageError(message, f"set {' and '.join(f'children.{name}' for name in wanted)} of the group to 0")
    if "merged" in counts and not any(name in counts for name in _MERGED_WITH):
        message = "merged: a run is merged with its fine-tunes, of which it has none"
        raise UsageError(message, "set children.data or children.continued to 1 or more")
