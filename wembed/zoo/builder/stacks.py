"""A manifest in; stacks of networks that are made at once out, and which of them a zoo has finished already."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import torch

from wembed.errors import UsageError, WembedError
from wembed.models import Dataset, load_dataset, stored_tensors
from wembed.zoo.builder.journal import Journal
from wembed.zoo.builder.lineage.child import Child
from wembed.zoo.builder.lineage.lessons import TRAINED
from wembed.zoo.builder.lineage.plan import plan_children
from wembed.zoo.builder.manifest import BuildManifest, Group
from wembed.zoo.builder.runs import Run, describe_model, plan_runs, plan_twins

Member = Run | Child

# Where the number of networks trained per second stops to grow on one core; what is trained one after the other is
# cut so small that a killed build loses little.
MOST_TOGETHER = {"mlp": 100, "cnn": 16}
MOST_ALONE = 2

_FORMAT = 2  # of a recipe: changes when the same recipe leads to other networks


@dataclass(frozen=True)
class Stack:
    """Networks of one group that are made at once: its runs, their twins, or their children of one kind.

    Args:
        members: the networks.
        recipe: all that they follow from, but not how many there are.
        parameters: of one of them.
        journal: what is known of them, if they are finished.
    """

    members: tuple[Member, ...]
    recipe: Mapping[str, object]
    parameters: int
    journal: Journal | None = None

    @property
    def group(self) -> Group:
        """The group that they belong to."""
        return self.members[0].group

    @property
    def dataset(self) -> str:
        """The name of the data set that they are for."""
        return self.members[0].dataset

    @property
    def name(self) -> str:
        """The first of them, and the last."""
        return f"{self.members[0].name}-{self.members[-1].name.removeprefix(self.group.name + '-')}"

    @property
    def names(self) -> frozenset[str]:
        """The runs that their checkpoints belong to."""
        return frozenset(member.name for member in self.members)

    @property
    def needs(self) -> frozenset[str]:
        """The runs whose checkpoints they are made of."""
        children = [member for member in self.members if isinstance(member, Child)]
        others = [child.other for child in children if child.other]
        return frozenset([*(child.parent_name for child in children), *others])

    @property
    def checkpoints(self) -> int:
        """How many files they leave if none diverges."""
        return len(self.members) * (1 if self.needs else len(self.group.training.snapshots))

    @property
    def steps(self) -> int:
        """How many updates one of them takes at most; what is not trained counts as one."""
        first = self.members[0]
        if isinstance(first, Run):
            return self.group.training.steps
        return self.group.children.steps if first.derivation in TRAINED else 1

    @property
    def model_steps(self) -> int:
        """How many updates all of them take together."""
        return len(self.members) * self.steps


def plan_stacks(manifest: BuildManifest, seed: int, journals: Sequence[Journal]) -> list[Stack]:
    """The stacks of a build, in the order of the manifest: finished ones as they were, the rest cut evenly.

    Args:
        manifest: what to build.
        seed: of all randomness.
        journals: of the zoo to build into.

    Raises:
        UsageError: if an architecture can't take its data set, or runs can't have such children.
        NotFoundError: if a data set is not there.
        WembedError: if the zoo holds runs of the same names by another recipe.
    """
    planned: list[Stack] = []
    for group in manifest.groups:
        with _placed(group, "dataset"):
            dataset = load_dataset(group.dataset, manifest.file_of(group.dataset))
        with _placed(group, "architecture"):
            parameters = count_parameters(group, dataset)
        with _placed(group, "children"):
            parts = list(_parts(group, seed, dataset))
        for members in parts:
            planned += _stacks_of(members, _recipe(members[0], dataset), parameters, journals)
    return planned


def count_parameters(group: Group, dataset: Dataset) -> int:
    """How many numbers a checkpoint of a group holds, running statistics included.

    Raises:
        UsageError: if the architecture can't take the data set.
    """
    architecture = group.architecture
    if dataset.kind not in architecture.takes:
        known = " and ".join(architecture.takes)
        raise UsageError(f"{architecture.kind} takes {known}, {dataset.name} holds {dataset.kind}")
    try:
        with torch.device("meta"):
            module = describe_model(group, dataset).build()
    except ValueError as error:
        raise UsageError(str(error)) from error
    return sum(value.numel() for value in stored_tensors(module).values())


@contextmanager
def _placed(group: Group, key: str) -> Iterator[None]:
    """Says of what goes wrong where it stands in the manifest, or else of which group it is said."""
    try:
        yield
    except WembedError as error:
        raise type(error)(f"{group.places.get(key, f'group {group.name}')}: {error.message}", error.hint) from error


def _parts(group: Group, seed: int, dataset: Dataset) -> Iterator[tuple[Member, ...]]:
    """What of a group may be made at once: its runs, their twins, every kind of child."""
    yield tuple(plan_runs(group, seed))
    if twins := tuple(plan_twins(group, seed)):
        yield twins
    for children in plan_children(group, seed, dataset):
        for _, same in groupby(children, key=lambda child: child.derivation):
            yield tuple(same)


def _recipe(member: Member, dataset: Dataset) -> dict[str, object]:
    """All that the members of a part follow from, in the words of a manifest."""
    group = member.group
    parts: dict[str, object] = {
        "format": _FORMAT,
        "seed": member.seed,
        "data": dataset.digest,
        **group.model_dump(mode="json", include={"dataset", "architecture", "sealed"}),
        "training": group.training.model_dump(mode="json"),
        "hyperparameters": group.hyperparameters.model_dump(mode="json"),
    }
    if isinstance(member, Child):
        parts["children"] = group.children.model_dump(mode="json", include={"change", "steps"})
    return parts


def _stacks_of(
    members: tuple[Member, ...], recipe: Mapping[str, object], parameters: int, journals: Sequence[Journal]
) -> list[Stack]:
    by_name, place = {member.name: member for member in members}, {member.name: at for at, member in enumerate(members)}
    left, found = dict(by_name), []
    for journal in journals:
        if by_name.keys().isdisjoint(journal.runs):
            continue
        if journal.recipe != recipe:
            differing = ", ".join(key for key in recipe if journal.recipe.get(key) != recipe[key])
            message = f"the zoo holds {journal.runs[0]} and others, built with other settings: {differing}"
            raise WembedError(message, "build into another zoo with --zoo, or with what that one was built with")
        kept = tuple(by_name[name] for name in journal.runs if left.pop(name, None))
        found += [Stack(kept, recipe, parameters, journal)] if kept else []
    most = MOST_TOGETHER.get(members[0].group.architecture.kind, MOST_ALONE)
    for part in _cut_evenly(members, most):
        rest = tuple(member for member in part if member.name in left)
        found += [Stack(rest, recipe, parameters)] if rest else []
    return sorted(found, key=lambda stack: place[stack.members[0].name])


def _cut_evenly(members: tuple[Member, ...], most: int) -> list[tuple[Member, ...]]:
    """As few parts as can be, none larger than `most`, the larger ones first; where they are cut is always the same."""
    parts, begin = -(-len(members) // most), 0
    cut = []
    for number in range(parts):
        end = begin + len(members) // parts + (number < len(members) % parts)
        cut.append(members[begin:end])
        begin = end
    return cut
