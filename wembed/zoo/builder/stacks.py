"""Runs in; stacks of runs that are trained at once out, and which of them a zoo has finished already."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from wembed.errors import UsageError, WembedError
from wembed.models import load_dataset
from wembed.zoo.builder.journal import Journal
from wembed.zoo.builder.manifest import BuildManifest, Group, Training
from wembed.zoo.builder.runs import Run, plan_runs

# Where the number of networks trained per second stops to grow on one core.
MOST_RUNS = {"mlp": 64, "cnn": 16}

_FORMAT = 1  # of a recipe: changes when the same recipe leads to other networks


@dataclass(frozen=True)
class Stack:
    """Runs of one group that are trained at once.

    Args:
        runs: of one group, with consecutive numbers.
        training: how they are trained.
        parameters: of one of their networks.
        journal: what is known of it, if it is finished.
    """

    runs: tuple[Run, ...]
    training: Training
    parameters: int
    journal: Journal | None = None

    @property
    def name(self) -> str:
        """The group and the first and last number of its runs."""
        return f"{self.runs[0].group.name}-{self.runs[0].number:03d}-{self.runs[-1].number:03d}"

    @property
    def recipe(self) -> str:
        """Hash of all that the runs of its group follow from, but not of how many there are."""
        run = self.runs[0]
        parts = {
            "format": _FORMAT,
            "seed": run.seed,
            "group": run.group.model_dump(mode="json", exclude={"runs"}),
            "training": self.training.model_dump(mode="json"),
            "hyperparameters": run.ranges.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def model_steps(self) -> int:
        """How many updates all of its runs take together."""
        return len(self.runs) * self.training.steps


def plan_stacks(manifest: BuildManifest, seed: int, journals: Sequence[Journal]) -> list[Stack]:
    """The stacks of a build, in the order of the manifest: finished ones as they were, the rest cut evenly.

    Args:
        manifest: what to build.
        seed: of all randomness.
        journals: of the zoo to build into.

    Raises:
        UsageError: if an architecture can't take its data set.
        WembedError: if the zoo holds runs of the same names by another recipe.
    """
    return [
        stack
        for group in manifest.groups
        for stack in _stacks_of(plan_runs(manifest, seed)[group.name], manifest.training, journals)
    ]


def _stacks_of(runs: Sequence[Run], training: Training, journals: Sequence[Journal]) -> list[Stack]:
    parameters, by_name = count_parameters(runs[0].group), {run.name: run for run in runs}
    finished, recipe = [], Stack(tuple(runs), training, parameters).recipe
    for journal in journals:
        if by_name.keys().isdisjoint(journal.runs):
            continue
        if journal.recipe != recipe:
            message = f"the zoo holds {journal.runs[0]} and others by another manifest or seed than {runs[0].seed}"
            raise WembedError(message, "build into another zoo with --zoo, or with what that one was built with")
        kept = tuple(by_name.pop(name) for name in journal.runs if name in by_name)
        finished.append(Stack(kept, training, parameters, journal))
    size = MOST_RUNS[runs[0].group.architecture.kind]
    cut = [Stack(part, training, parameters) for part in _cut_evenly(tuple(by_name.values()), size)]
    return sorted([*finished, *cut], key=lambda stack: stack.runs[0].number)


def _cut_evenly(runs: tuple[Run, ...], most: int) -> list[tuple[Run, ...]]:
    """As few parts as can be, none larger than `most`, the larger ones first.

    So the parts that are left after the first are what is made of the runs that are left.
    """
    parts, begin = -(-len(runs) // most), 0
    cut = []
    for number in range(parts):
        end = begin + len(runs) // parts + (number < len(runs) % parts)
        cut.append(runs[begin:end])
        begin = end
    return cut


def count_parameters(group: Group) -> int:
    """How many numbers a checkpoint of a group holds, running statistics included.

    Raises:
        UsageError: if the architecture can't take the data set.
    """
    dataset = load_dataset(group.dataset)
    try:
        with torch.device("meta"):
            module = group.architecture.build(dataset.shape, dataset.classes)
    except ValueError as error:
        raise UsageError(f"group {group.name}: {error}") from error
    return sum(value.numel() for value in module.state_dict().values() if value.is_floating_point())
