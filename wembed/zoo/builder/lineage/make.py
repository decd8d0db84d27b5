"""Children and their parents' tensors in; the children's own out, with how far they are from their parents."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from wembed.device import CPU
from wembed.models import Dataset
from wembed.symmetry import apply_action, random_action
from wembed.zoo.builder.lineage.change import Tensors, relative_change
from wembed.zoo.builder.lineage.child import Child, Derivation
from wembed.zoo.builder.lineage.derived import Derived
from wembed.zoo.builder.lineage.edits import Edited, add_noise, merge, prune, round_to_bf16, round_to_int8
from wembed.zoo.builder.lineage.fine_tune import fine_tune
from wembed.zoo.builder.lineage.lessons import TRAINED
from wembed.zoo.builder.runs import describe_model
from wembed.zoo.builder.specs import network_spec


def make_children(
    children: Sequence[Child],
    parents: Mapping[str, Tensors],
    dataset: Dataset,
    on_step: Callable[[int], None] = lambda step: None,
    device: str = CPU,
) -> list[Derived]:
    """Makes children of one group and one derivation.

    Those that are trained are trained at once. A child is the same whichever others are made with it, up to rounding.

    Args:
        children: of one group and one derivation, of any number of parents.
        parents: the tensors of all their parents, and of what they are merged with, by checkpoint id.
        dataset: that of the children.
        on_step: told after every step of training how many there were, of single networks.
        device: what they are trained on, by torch's name.

    Returns:
        One for every child, in their order. What can't reach the change that was drawn stays short of it.
    """
    kinds = {(child.group.name, child.derivation) for child in children}
    if len(kinds) > 1:
        raise ValueError(f"children of one group and derivation are expected, found {sorted(kinds)}")
    if not children:
        return []
    if children[0].derivation in TRAINED:
        return fine_tune(children, parents, dataset, on_step, device)
    return [_edited(child, parents, dataset) for child in children]


def _edited(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Derived:
    parent = parents[child.parent]
    made = _EDITS[child.derivation](child, parents, dataset)
    return Derived(child, made.tensors, relative_change(parent, made.tensors), details=dict(made.details))


def _pruned(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    return prune(parents[child.parent], _wanted(child))


def _noisy(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    return add_noise(parents[child.parent], _wanted(child), child.generator("noise"))


def _int8(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    return round_to_int8(parents[child.parent])


def _bf16(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    return round_to_bf16(parents[child.parent])


def _permuted(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    """The same function, its neurons in another order and, where they allow it, rescaled."""
    parent, spec = parents[child.parent], network_spec(describe_model(child.group, dataset))
    action = random_action(spec, child.generator("action"), rescale=True)
    acted = {name: values.astype(np.float32) for name, values in apply_action(action, spec, parent.__getitem__)}
    return Edited({name: acted.get(name, values) for name, values in parent.items()})


def _merged(child: Child, parents: Mapping[str, Tensors], dataset: Dataset) -> Edited:
    assert child.other is not None
    return merge(parents[child.parent], parents[child.other], _wanted(child))


def _wanted(child: Child) -> float:
    assert child.change is not None
    return child.change


_EDITS: dict[Derivation, Callable[[Child, Mapping[str, Tensors], Dataset], Edited]] = {
    "pruned": _pruned,
    "noise": _noisy,
    "int8": _int8,
    "bf16": _bf16,
    "permuted": _permuted,
    "merged": _merged,
}
