"""What torch.load returned in; one flat dictionary of tensors out, with a notice for all that was left behind.

Training scripts save weights inside of dictionaries with optimizers, schedulers and scores around them, or as lists.
First everything becomes a tree of dictionaries; then wrappers are opened until the weights are at the top.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from wembed.errors import CheckpointRefusedError

if TYPE_CHECKING:
    import torch

Scalar: TypeAlias = "str | bool | int | float"
Branch: TypeAlias = "dict[str, Tree]"
Tree: TypeAlias = "Branch | Scalar | torch.Tensor | None"

WEIGHT_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "ema_state_dict",
    "model_ema",
    "ema",
)
TRAINING_KEY = re.compile(
    r".*optimi[sz]er.*|optim.*|opt|opt_state|.*schedulers?|.*scheduler_state.*|amp|.*scaler|.*rng_states?",
    re.IGNORECASE,
)
MAX_DEPTH = 32
MAX_NODES = 1_000_000  # a pickle can name one branch many times, so a small file can be a tree without end
MAX_TEXT = 200  # characters of a text kept as metadata


@dataclass(frozen=True)
class StateDict:
    """The weights of one file, what stood beside them, and what was done to find them."""

    tensors: "dict[str, torch.Tensor]"
    metadata: dict[str, str]
    notices: list[str]


def find_state_dict(loaded: object, is_tensor: Callable[[object], bool], path: Path) -> StateDict:
    """Finds the weights in what a weight file holds.

    Args:
        loaded: what torch.load returned.
        is_tensor: tells tensors from the rest.
        path: the file, for messages.

    Raises:
        CheckpointRefusedError: if there is no dictionary or list of tensors, or two tensors have one name.
    """
    if is_tensor(loaded) or not isinstance(loaded, Mapping | list | tuple):
        found = "a bare tensor" if is_tensor(loaded) else f"an object of type {type(loaded).__name__}"
        raise CheckpointRefusedError(f"{path}: holds {found}, expected a dictionary of tensors")
    tree = cast(Branch, _TreeBuilder(is_tensor, path).build(loaded))
    if _is_optimizer(tree):
        raise CheckpointRefusedError(f"{path}: holds the state of an optimizer, expected weights")
    notices: list[str] = []
    metadata: dict[str, str] = {}
    tree = _prune(tree, notices)
    while (key := _wrapper(tree)) is not None:
        metadata = _scalars(tree) | metadata
        notices.append(f"{key} unwrapped")
        _note_left_out({name: child for name, child in tree.items() if name != key}, notices)
        tree = cast(Branch, tree[key])
    return StateDict(_flatten(tree, path), _scalars(tree) | metadata, notices)


class _TreeBuilder:
    """Turns nested mappings and lists into a tree of bounded size with text as keys."""

    def __init__(self, is_tensor: Callable[[object], bool], path: Path) -> None:
        self._is_tensor = is_tensor
        self._path = path
        self._nodes = 0

    def build(self, value: object, depth: int = 0) -> Tree:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise CheckpointRefusedError(f"{self._path}: nested deeper than {MAX_DEPTH} or over {MAX_NODES} entries")
        if self._is_tensor(value) or isinstance(value, str | int | float):
            return cast(Tree, value)
        if isinstance(value, Mapping):
            children = {str(key): self.build(child, depth + 1) for key, child in value.items()}
            if len(children) < len(value):
                raise CheckpointRefusedError(f"{self._path}: two entries of one dictionary have the same name")
            return children
        if isinstance(value, list | tuple):
            return {str(index): self.build(child, depth + 1) for index, child in enumerate(value)}
        return None


def _is_branch(tree: Tree) -> bool:
    return isinstance(tree, dict)


def _is_leaf_tensor(tree: Tree) -> bool:
    return not isinstance(tree, dict | str | int | float | None)


def _is_optimizer(tree: Tree) -> bool:
    return isinstance(tree, dict) and {"state", "param_groups"} <= set(tree)


def _leaves(tree: Branch, prefix: str = "") -> "Iterator[tuple[str, torch.Tensor]]":
    for name, child in tree.items():
        if isinstance(child, dict):
            yield from _leaves(child, f"{prefix}{name}.")
        elif _is_leaf_tensor(child):
            yield prefix + name, cast("torch.Tensor", child)


def _flatten(tree: Branch, path: Path) -> "dict[str, torch.Tensor]":
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in _leaves(tree):
        if name in tensors:
            raise CheckpointRefusedError(f"{path}: two tensors are named {name!r}")
        tensors[name] = tensor
    return tensors


def _prune(tree: Branch, notices: list[str]) -> Branch:
    """Leaves out what belongs to the training and not to the network, at every level."""
    kept: Branch = {}
    left_out: Branch = {}
    for name, child in tree.items():
        if _is_training(name, child):
            left_out[name] = child
        else:
            kept[name] = _prune(child, notices) if isinstance(child, dict) else child
    _note_left_out(left_out, notices)
    return kept


def _is_training(name: str, child: Tree) -> bool:
    """A tensor is only left out as the state of a random generator: a layer may be called anything."""
    if _is_branch(child):
        return TRAINING_KEY.fullmatch(name) is not None or _is_optimizer(child)
    return _is_leaf_tensor(child) and name.endswith("rng_state")


def _note_left_out(children: Branch, notices: list[str]) -> None:
    for name, child in children.items():
        count = sum(1 for _ in _leaves({name: child}))
        if count:
            notices.append(f"{name} left out: {count} tensor{'s' if count > 1 else ''}")


def _wrapper(tree: Branch) -> str | None:
    """The entry that holds the weights, or None where the weights are at the top already."""
    tensors = [cast("torch.Tensor", child) for child in tree.values() if _is_leaf_tensor(child)]
    if any(tensor.numel() > 1 for tensor in tensors):  # a step counter may be a tensor too
        return None
    branches = [name for name, child in tree.items() if isinstance(child, dict) and any(_leaves(child))]
    for key in WEIGHT_KEYS:
        if key in branches:
            return key
    return branches[0] if len(branches) == 1 and not tensors else None


def _scalars(tree: Branch) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, child in tree.items():
        if isinstance(child, float):
            found[name] = _float_text(child)
        elif isinstance(child, str | int) and len(str(child)) <= MAX_TEXT:
            found[name] = str(child)
    return found


def _float_text(value: float) -> str:
    """A score that was averaged in float32 reads 91.78 and not 91.78000183105469."""
    return repr(value) if value.is_integer() else f"{value:.7g}"
