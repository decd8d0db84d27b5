"""Children that are to be trained in; trained ones out, all of them at once."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import torch

from wembed.models import Dataset
from wembed.zoo.builder.lineage.change import Tensors, relative_change, squared_norm, weight_names
from wembed.zoo.builder.lineage.child import Child
from wembed.zoo.builder.lineage.derived import Derived
from wembed.zoo.builder.lineage.lessons import Lesson, lesson_of, root_of
from wembed.zoo.builder.lineage.teacher import logits_of
from wembed.zoo.builder.runs import describe_model, draw_batches
from wembed.zoo.builder.training import Trained, Trainee, train

_SHARE = 0.1  # of the change that a step may make: the last one overshoots by no more
_LARGE = 0.1  # change beyond which networks that have learnt all often stop short, and steps soon point anywhere
_LARGE_SHARE = 0.25  # of such a change
_RATES = (1e-8, 3e-2)  # of AdamW; above, networks are rather destroyed than tuned
_LOOKS = 5  # at a distilled network, whether it has recovered
_RECOVERED = 0.99  # share of its parent's predictions that are a recovered network's too
_MOST_COMPARED = 1024  # inputs, to tell whether it has


def fine_tune(
    children: Sequence[Child],
    parents: Mapping[str, Tensors],
    dataset: Dataset,
    on_step: Callable[[int], None],
    device: str,
) -> list[Derived]:
    """Trains children of one group and derivation; see `make_children`."""
    lessons = [lesson_of(child, parents[child.parent], dataset) for child in children]
    group = children[0].group
    trainees = [_trainee(child, lesson, parents[child.parent]) for child, lesson in zip(children, lessons, strict=True)]
    looks = (group.children.steps,) if lessons[0].ends else _looks(group.children.steps)
    kept: dict[int, list[Trained]] = defaultdict(list)
    for trained in train(trainees, group.architecture, dataset, looks, on_step, device):
        kept[trained.trainee].append(trained)
    made = []
    for number, (child, lesson, trainee) in enumerate(zip(children, lessons, trainees, strict=True)):
        parent = parents[child.parent]
        details = {"learning_rate": trainee.learning_rate, "weight_decay": trainee.weight_decay, **lesson.details}
        last = kept[number][-1]
        if not lesson.ends:
            last, agreement = _first_recovered(child, parent, kept[number], lesson, dataset)
            details["agreement"] = agreement
        change = relative_change(parent, last.tensors)
        made.append(Derived(child, last.tensors, change, last.step, details, last.diverged_at))
    return made


def _trainee(child: Child, lesson: Lesson, parent: Tensors) -> Trainee:
    assert child.change is not None
    group = child.group
    body = {name: values for name, values in lesson.start.items() if values.shape == parent[name].shape}
    size, whole = _root_mean_square(body), _root_mean_square(lesson.start)
    share = _LARGE_SHARE if lesson.ends and child.change >= _LARGE else _SHARE
    return Trainee(
        name=child.name,
        start=lesson.start,
        labels=lesson.labels,
        batches=draw_batches(
            child.generator("order"), lesson.subset, group.children.steps + 1, group.training.batch_size
        ),
        learning_rate=_rate(child.change, size, share),
        weight_decay=root_of(child).hyperparameters["weight_decay"],
        # Training watches a new head too. All weights move alike: at this change of all, the body's is the drawn one.
        until=child.change * (size / whole if whole else 1.0) if lesson.ends else None,
    )


def _rate(change: float, size: float, share: float) -> float:
    """A rate of AdamW, which moves every weight by about the rate, that makes a share of a change in a step.

    Args:
        change: of the weights, relative to their size.
        size: their root mean square.
        share: of that change.
    """
    low, high = _RATES
    return min(max(float(f"{share * change * size:.4g}"), low), high)


def _root_mean_square(tensors: Tensors) -> float:
    weights = [tensors[name] for name in weight_names(tensors)]
    return math.sqrt(sum(map(squared_norm, weights)) / sum(values.size for values in weights))


def _looks(steps: int) -> tuple[int, ...]:
    """The steps after which a network is kept, each twice the one before."""
    return tuple(sorted({max(1, steps >> look) for look in range(_LOOKS)}))


def _first_recovered(
    child: Child, parent: Tensors, kept: Sequence[Trained], lesson: Lesson, dataset: Dataset
) -> tuple[Trained, float]:
    """The first of several states that predicts what its parent does, or the last; and the share in which it does."""
    description = describe_model(child.group, dataset)
    seen = lesson.subset[:: -(-len(lesson.subset) // _MOST_COMPARED)]
    inputs = dataset.train_inputs[torch.from_numpy(seen)]
    expected = logits_of(parent, description, inputs).argmax(-1)
    for state in kept:
        agreement = float((logits_of(state.tensors, description, inputs).argmax(-1) == expected).float().mean())
        if agreement >= _RECOVERED:
            break
    return state, agreement
