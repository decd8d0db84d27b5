"""A network and its likely parent in; how the one was made from the other, as far as the weights tell, out."""

from typing import Literal

import numpy as np

from wembed.zoo.lineage.direction import DECAYED, Direction
from wembed.zoo.lineage.sketch import Sketch

Derivation = Literal[
    "identical",
    "permuted",
    "rounded to bf16",
    "rounded to fp16",
    "rounded to 8 bits",
    "pruned",
    "merged",
    "head replaced",
    "layers frozen",
    "noise",
    "fine-tuned",
    "snapshot",
]

_SPREAD = 0.15  # by which noise may differ between tensors, relative to them
_NORMAL = 0.25  # by which the fourth moment of noise may miss that of a normal distribution, relative to it
_FEWEST = 64  # values of a tensor that say anything about noise


def derivation_of(parent: Sketch, child: Sketch, direction: Direction) -> Derivation:
    """How a child was likely made."""
    match direction.reason:
        case "rounded to bf16" | "rounded to fp16" | "rounded to 8 bits" as found:
            return found
        case "zeros added":
            return "pruned"
        case "training steps":
            return "snapshot"
    if parent.parts.keys() != child.parts.keys():
        return "head replaced"
    added = [child.parts[key] - values for key, values in parent.parts.items()]
    unmoved = sum(not change.any() for change in added)
    if unmoved:
        return "identical" if unmoved == len(added) else "layers frozen"
    is_noise = direction.reason != DECAYED and _is_noise(list(parent.parts.values()), added)
    return "noise" if is_noise else "fine-tuned"


def _is_noise(values: list[np.typing.NDArray[np.float64]], added: list[np.typing.NDArray[np.float64]]) -> bool:
    """Whether every tensor got normal noise of the same size beside its own."""
    large = [(one, change) for one, change in zip(values, added, strict=True) if one.size >= _FEWEST and one.any()]
    if not large:
        return False
    sizes = np.array([np.linalg.norm(change) / np.linalg.norm(one) for one, change in large])
    normed = np.concatenate([change / np.sqrt(np.square(change).mean()) for _, change in large])
    is_normal = abs(float((normed**4).mean()) / 3.0 - 1.0) < _NORMAL
    return bool(sizes.max() / sizes.min() < 1.0 + _SPREAD) and is_normal
