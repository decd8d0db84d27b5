"""The stacks of a build in; how long each takes on this machine out, from a few steps that are really taken."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from wembed.catalog import Zoo
from wembed.device import one_thread
from wembed.models import Dataset, load_dataset
from wembed.zoo.builder.files import CheckpointWriter
from wembed.zoo.builder.manifest import BuildManifest
from wembed.zoo.builder.runs import Run, describe_model, trainee_of
from wembed.zoo.builder.stacks import MOST_TOGETHER, Stack
from wembed.zoo.builder.training import train
from wembed.zoo.builder.work import snapshot
from wembed.zoo.progress import Progress, silent

_STEPS = 4  # that are timed, after one that is not


def estimate_seconds(stacks: Sequence[Stack], manifest: BuildManifest, progress: Progress = silent) -> dict[str, float]:
    """How long stacks will take, each by itself, by name; finished ones take no time.

    A few steps of one stack of every group are taken, and one checkpoint is written to a temporary folder and measured.

    Args:
        stacks: of a build.
        manifest: that they are of.
        progress: told how many stacks are done.
    """
    costs: dict[str, tuple[float, float]] = {}  # seconds per update of one network, per checkpoint; by group
    found = {}
    for done, stack in enumerate(stacks):
        name = stack.group.name
        if not stack.journal:
            if name not in costs:
                costs[name] = _measure(stack, load_dataset(stack.group.dataset, manifest.file_of(stack.group.dataset)))
            per_step, per_checkpoint = costs[name]
            found[stack.name] = stack.model_steps * per_step + stack.checkpoints * per_checkpoint
        progress(done + 1, len(stacks))
    return found


def _measure(stack: Stack, dataset: Dataset) -> tuple[float, float]:
    group = stack.group
    count = min(len(stack.members), MOST_TOGETHER.get(group.architecture.kind, 1))
    runs = [Run(group, number, stack.members[0].seed) for number in range(count)]
    trainees = [trainee_of(run, dataset) for run in runs]
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        train(trainees, group.architecture, dataset, (1,))
        begun = time.perf_counter()
        trained = train(trainees, group.architecture, dataset, (_STEPS,))
        per_step = (time.perf_counter() - begun) / _STEPS / count
        zoo = Zoo.create(Path(folder))
        writer = CheckpointWriter(zoo, describe_model(group, dataset), dataset)
        begun = time.perf_counter()
        writer.write(snapshot(runs[0], trained[0], dataset), "")
        return per_step, time.perf_counter() - begun
