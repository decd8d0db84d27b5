"""The parts of a manifest: what a run draws, how it is trained, which twins and children it gets."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_MOST_STEPS = 1_000_000
_MOST_RELATIVES = 100  # of one kind, for each run
_MOST_GENERATIONS = 4


class Part(BaseModel):
    """What people write in a manifest: nothing that isn't known, no number that isn't finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper {bounds[1]}")
    return bounds


def _ascending(steps: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(set(steps)) != list(steps):
        raise ValueError(f"snapshots are steps in ascending order, found {list(steps)}")
    return steps


_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(gt=0, le=1)]
_Noise = Annotated[float, Field(ge=0, lt=1)]
_Change = Annotated[float, Field(gt=0, le=1)]
_Ordered = AfterValidator(_ordered)
_Step = Annotated[int, Field(ge=0, le=_MOST_STEPS)]
_Snapshots = Annotated[tuple[_Step, ...], Field(min_length=1, max_length=100), AfterValidator(_ascending)]
_Count = Annotated[int, Field(ge=0, le=_MOST_RELATIVES)]


class Ranges(Part):
    """What every run draws its hyperparameters from, as [lowest, highest].

    Args:
        learning_rate: of AdamW; its logarithm is uniform.
        weight_decay: of AdamW; its logarithm is uniform.
        init_scale: times the usual deviation of the initial weights, sqrt(2 / fan_in) in a plain chain; uniform.
        train_fraction: share of the training set that the run sees; uniform.
        label_noise: share of those inputs that get a wrong label; uniform.
    """

    learning_rate: Annotated[tuple[_Positive, _Positive], _Ordered] = (1e-4, 3e-2)
    weight_decay: Annotated[tuple[_Positive, _Positive], _Ordered] = (1e-5, 1e-1)
    init_scale: Annotated[tuple[_NotNegative, _NotNegative], _Ordered] = (0.5, 2.0)
    train_fraction: Annotated[tuple[_Share, _Share], _Ordered] = (0.1, 1.0)
    label_noise: Annotated[tuple[_Noise, _Noise], _Ordered] = (0.0, 0.5)


class TrainingKeys(Part):
    """Some of what `Training` says; a group gives those keys in which it differs.

    Args:
        batch_size: inputs per step.
        snapshots: after how many steps a checkpoint is written; the last one ends the run.
    """

    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    snapshots: _Snapshots = ()


class Training(TrainingKeys):
    """How every run is trained.

    Args:
        batch_size: inputs per step.
        snapshots: after how many steps a checkpoint is written; the last one ends the run.
    """

    snapshots: _Snapshots

    @property
    def steps(self) -> int:
        """How many steps a run takes."""
        return self.snapshots[-1]


class Twins(Part):
    """How many further runs every run gets that share something with it.

    Args:
        init: of the same configuration on the same data, from other initial weights: the hardest stranger, and no kin.
        data: from the same initial weights, on another part of the data, with other wrong labels, in another order.
        order: from the same initial weights on the same data, in another order.
    """

    init: _Count = 0
    data: _Count = 0
    order: _Count = 0

    @property
    def total(self) -> int:
        """How many twins a run has."""
        return self.init + self.data + self.order


class Children(Part):
    """How many networks of each kind are made from the last checkpoint of every run, and how far they go.

    Args:
        data: fine-tuned on another part of the training set, drawn by itself, with its true labels.
        classes: fine-tuned on half of the classes.
        head: fine-tuned with a new last layer for the data set's parity.
        continued: trained on with the run's own data.
        pruned: the smallest weights set to zero.
        int8: weights rounded to 8 bits.
        bf16: rounded to bfloat16.
        noise: Gaussian noise added.
        distilled: disturbed, then trained on the parent's outputs.
        permuted: the same function, its neurons reordered and rescaled.
        merged: averaged with another network of the family.
        change: the change relative to the parent, [smallest, largest]; its logarithm is uniform.
        steps: how many a child is trained for at most.
        generations: above 1, every child of the kinds data, continued, noise and pruned has children of its own.
    """

    data: _Count = 0
    classes: _Count = 0
    head: _Count = 0
    continued: _Count = 0
    pruned: _Count = 0
    int8: _Count = 0
    bf16: _Count = 0
    noise: _Count = 0
    distilled: _Count = 0
    permuted: _Count = 0
    merged: _Count = 0
    change: Annotated[tuple[_Change, _Change], _Ordered] = (1e-3, 1.0)
    steps: Annotated[int, Field(ge=1, le=_MOST_STEPS)] = 300
    generations: Annotated[int, Field(ge=1, le=_MOST_GENERATIONS)] = 1

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind that there is any of, in the catalog's words for a derivation."""
        numbers = {name: getattr(self, name) for name in type(self).model_fields if name not in _OF_ALL_CHILDREN}
        return {name: number for name, number in numbers.items() if number}

    @property
    def total(self) -> int:
        """How many children a run has, later generations included."""
        parents, born = 1, 0
        for _ in range(self.generations):
            born += parents * sum(self.counts.values())
            parents *= sum(number for name, number in self.counts.items() if name in WITH_CHILDREN)
        return born


_OF_ALL_CHILDREN = ("change", "steps", "generations")
WITH_CHILDREN = ("data", "continued", "noise", "pruned")
