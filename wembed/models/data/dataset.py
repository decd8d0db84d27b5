"""The three parts of a task in; what every user of data reads out, named by a hash of what is in it."""

import functools
import hashlib
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

DataKind = Literal["table", "images", "text"]

IGNORED = -100
"""The label where nothing is asked: what torch's cross-entropy ignores by default."""

_DIGEST_DIGITS = 16


@dataclass(frozen=True)
class Dataset:
    """A classification task, or a text in which characters are to be predicted.

    Tensors are shared by everybody who loads the data set: nobody writes into them.

    Args:
        name: what it is called.
        kind: "table", "images" or "text".
        shape: of one input: (features,), (channels, height, width) or (characters,).
        classes: number of labels; of a text, size of the vocabulary.
        train_inputs: [N, F] float32, images flattened, channels first; of a text [N, T] int64.
        train_labels: [N] int64; of a text [N, T], IGNORED where nothing is asked.
        validation_inputs: [V, F] or [V, T], for choosing among networks.
        validation_labels: [V] or [V, T].
        test_inputs: [M, F] or [M, T], seen by no training and no choice.
        test_labels: [M] or [M, T].
    """

    name: str
    kind: DataKind
    shape: tuple[int, ...]
    classes: int
    train_inputs: Tensor
    train_labels: Tensor
    validation_inputs: Tensor
    validation_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor

    @functools.cached_property
    def digest(self) -> str:
        """16 hexadecimal digits, a hash over the six tensors: it names the data and the split exactly."""
        found = hashlib.sha256()
        for part in ("train", "validation", "test"):
            for what in ("inputs", "labels"):
                tensor: Tensor = getattr(self, f"{part}_{what}")
                found.update(f"{part} {what} {tensor.dtype} {tuple(tensor.shape)}".encode())
                found.update(tensor.contiguous().numpy().data)
        return found.hexdigest()[:_DIGEST_DIGITS]
