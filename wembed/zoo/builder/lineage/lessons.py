"""A child that is to be trained and its parent in; where it starts, on what, and towards which labels, out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from wembed.models import IGNORED, Dataset
from wembed.zoo.builder.lineage.change import Tensors
from wembed.zoo.builder.lineage.child import Child, Derivation
from wembed.zoo.builder.lineage.edits import add_noise
from wembed.zoo.builder.lineage.teacher import logits_of
from wembed.zoo.builder.runs import Run, describe_model, draw_data

_SHARES = (0.1, 0.5)  # of the training set that a fine-tune on other data sees; uniform
_FEWEST_PER_CLASS = 2  # inputs that it sees at least
_MOST_ASKED = (
    4096  # inputs that a teacher is asked about: what it says of all of a large set takes longer than to learn it
)


@dataclass(frozen=True)
class Lesson:
    """What a child is trained on.

    Args:
        start: its first tensors.
        subset: [S] which of the training inputs it sees.
        labels: of all training inputs, see Trainee; those outside of the subset are never read.
        ends: whether its training ends once it has changed as much as it should.
        details: what is worth knowing about it, by name.
    """

    start: Tensors
    subset: NDArray[np.int64]
    labels: NDArray[np.int64] | NDArray[np.float32]
    ends: bool = True
    details: Mapping[str, object] = field(default_factory=dict)


def lesson_of(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    """What a child of a kind in `TRAINED` is trained on.

    Args:
        child: which one.
        parent: the tensors of its parent.
        dataset: that of the child.
    """
    return _LESSONS[child.derivation](child, parent, dataset)


def root_of(child: Child) -> Run:
    """The run that a child descends from."""
    return Run(child.group, child.run_number, child.seed)


def _on_other_data(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    generator, known = child.generator("subset"), len(dataset.train_labels)
    fewest = min(known, _FEWEST_PER_CLASS * dataset.classes)
    size = max(fewest, round(generator.uniform(*_SHARES) * known))
    subset = np.sort(generator.choice(known, size, replace=False))
    return Lesson(parent, subset, dataset.train_labels.numpy(), details={"train_fraction": size / known})


def _on_half_the_classes(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    labels = dataset.train_labels.numpy()
    classes = np.sort(child.generator("subset").permutation(dataset.classes)[: dataset.classes // 2])
    subset = np.flatnonzero(np.isin(labels, classes))
    return Lesson(parent, subset, labels, details={"classes": classes.tolist()})


def _with_a_new_head(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    """What has another shape for this data set's classes is drawn anew: the last layer."""
    with torch.device("meta"):
        module = describe_model(child.group, dataset).build()
    generator, start = child.generator("head"), dict(parent)
    for name, value in module.named_parameters():
        if parent[name].shape != value.shape:
            deviation = 1 / math.sqrt(math.prod(value.shape[1:])) if value.dim() > 1 else 0.0
            start[name] = (deviation * generator.standard_normal(tuple(value.shape))).astype(np.float32)
    return Lesson(start, np.arange(len(dataset.train_labels)), dataset.train_labels.numpy())


def _as_before(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    data = draw_data(root_of(child), dataset, 1, 1)
    return Lesson(parent, data.subset, data.labels)


def _from_its_parent(child: Child, parent: Tensors, dataset: Dataset) -> Lesson:
    """Disturbed, it learns what its parent says: shares of the classes, for text the likeliest character."""
    assert child.change is not None
    generator, known, group = child.generator("subset"), len(dataset.train_labels), child.group
    most = min(_MOST_ASKED, (group.children.steps + 1) * group.training.batch_size)
    subset = np.sort(generator.choice(known, min(known, most), replace=False))
    said = logits_of(parent, describe_model(group, dataset), dataset.train_inputs[subset])
    labels: NDArray[np.int64] | NDArray[np.float32]
    if dataset.kind == "text":
        labels = np.full(tuple(dataset.train_labels.shape), IGNORED, np.int64)
        asked = dataset.train_labels[subset, -said.shape[1] :]  # [S, T']
        labels[subset, -said.shape[1] :] = torch.where(asked == IGNORED, asked, said.argmax(2)).numpy()
    else:
        labels = np.zeros((known, dataset.classes), np.float32)
        labels[subset] = said.softmax(1).numpy()
    start = add_noise(parent, child.change, child.generator("noise")).tensors
    return Lesson(start, subset, labels, ends=False)


_LESSONS: dict[Derivation, Callable[[Child, Tensors, Dataset], Lesson]] = {
    "data": _on_other_data,
    "classes": _on_half_the_classes,
    "head": _with_a_new_head,
    "continued": _as_before,
    "distilled": _from_its_parent,
}
TRAINED: frozenset[Derivation] = frozenset(_LESSONS)
