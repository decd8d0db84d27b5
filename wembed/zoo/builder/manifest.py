"""BuildManifest: which networks a zoo is built of, and what their training runs draw from."""

from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wembed.models import DATASETS, Architecture

_MOST_RUNS = 100_000  # of one group
_MOST_STEPS = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper {bounds[1]}")
    return bounds


def _ascending(steps: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(set(steps)) != list(steps):
        raise ValueError(f"snapshots are steps in ascending order, found {list(steps)}")
    return steps


def _known(dataset: str) -> str:
    if dataset not in DATASETS:
        raise ValueError(f"known data sets are {', '.join(DATASETS)}")
    return dataset


_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(gt=0, le=1)]
_Noise = Annotated[float, Field(ge=0, lt=1)]
_Ordered = AfterValidator(_ordered)
_Step = Annotated[int, Field(ge=0, le=_MOST_STEPS)]


class Ranges(_Part):
    """What every run draws its hyperparameters from, as [lowest, highest].

    Args:
        learning_rate: of AdamW; its logarithm is uniform.
        weight_decay: of AdamW; its logarithm is uniform.
        init_scale: times the deviation sqrt(2 / fan_in) of the initial weights; uniform.
        train_fraction: share of the training set that the run sees; uniform.
        label_noise: share of those inputs that get a wrong label; uniform.
    """

    learning_rate: Annotated[tuple[_Positive, _Positive], _Ordered] = (1e-4, 3e-2)
    weight_decay: Annotated[tuple[_Positive, _Positive], _Ordered] = (1e-5, 1e-1)
    init_scale: Annotated[tuple[_NotNegative, _NotNegative], _Ordered] = (0.5, 2.0)
    train_fraction: Annotated[tuple[_Share, _Share], _Ordered] = (0.1, 1.0)
    label_noise: Annotated[tuple[_Noise, _Noise], _Ordered] = (0.0, 0.5)


class Training(_Part):
    """How every run is trained.

    Args:
        batch_size: inputs per step.
        snapshots: after how many steps a checkpoint is written; the last one ends the run.
    """

    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    snapshots: Annotated[tuple[_Step, ...], Field(min_length=1), AfterValidator(_ascending)]

    @property
    def steps(self) -> int:
        """How many steps a run takes."""
        return self.snapshots[-1]


class Group(_Part):
    """Runs of one architecture on one data set.

    Args:
        dataset: name of the data set.
        architecture: of the networks.
        runs: how many networks are trained.
        sealed: whether nothing else may be trained or chosen on them: their rows go to the zero-shot split.
    """

    dataset: Annotated[str, AfterValidator(_known)]
    architecture: Architecture
    runs: Annotated[int, Field(ge=1, le=_MOST_RUNS)]
    sealed: bool = False

    @property
    def name(self) -> str:
        """What its runs' names begin with, such as digits-mlp-relu-32x32."""
        return f"{self.dataset}-{self.architecture.label}"


class BuildManifest(_Part):
    """A zoo to build.

    Args:
        name: what it is called.
        seed: of all its randomness, unless the call gives another.
        training: how every run is trained.
        hyperparameters: what every run draws.
        groups: the runs.
    """

    name: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 0
    training: Training
    hyperparameters: Ranges = Ranges()
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_groups(self) -> "BuildManifest":
        for name, times in Counter(group.name for group in self.groups).items():
            if times > 1:
                raise ValueError(f"the group {name} stands there {times} times")
        for dataset in {group.dataset for group in self.groups}:
            if len({group.sealed for group in self.groups if group.dataset == dataset}) > 1:
                raise ValueError(f"{dataset} is sealed in one group and not in another")
        return self

    @property
    def runs(self) -> int:
        """How many networks are trained in all."""
        return sum(group.runs for group in self.groups)

    def scaled(self, runs: int) -> "BuildManifest":
        """The same with another number of runs in all, spread over the groups in proportion."""
        exact = [group.runs * runs / self.runs for group in self.groups]
        counts = [int(share) for share in exact]
        by_rest = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
        for i in by_rest[: runs - sum(counts)]:
            counts[i] += 1
        kept = [
            group.model_copy(update={"runs": count}) for group, count in zip(self.groups, counts, strict=True) if count
        ]
        return self.model_copy(update={"groups": tuple(kept)})
